//! Reads Rust just closely enough to know which paths a file names: words and punctuation without
//! comments and literals. Knows no rule.

/// A path that a file names.
#[derive(Debug)]
pub(super) struct Mention {
    /// Where.
    pub(super) line: usize,
    /// Its segments; starts with `crate` where it lies in this crate.
    pub(super) path: Vec<String>,
    /// Whether it stands in a `use` or `extern crate`.
    pub(super) import: bool,
}

#[derive(Debug)]
struct Token {
    line: usize,
    text: String,
}

/// Splits into words, `::` and single characters.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                while i < chars.len() && !(at(i) == '*' && at(i + 1) == '/' && i > start + 1) {
                    i += 1;
                }
                i += 2;
            }
            '"' => i = after_string(&chars, i + 1),
            'r' | 'b' | 'c' if is_raw(&chars, i) => i = after_raw(&chars, i),
            '\'' if at(i + 1) == '\\' => i = after_char(&chars, i + 2),
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => {
                i += 1;
                while word(at(i)) {
                    i += 1;
                }
            }
            c if word(c) => {
                while word(at(i)) {
                    i += 1;
                }
                found.push(Token { line, text: chars[start..i].iter().collect() });
            }
            ':' if at(i + 1) == ':' => {
                found.push(Token { line, text: "::".into() });
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    found.push(Token { line, text: c.into() });
                }
                i += 1;
            }
        }
        i = i.min(chars.len());
        line += chars[start..i].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn after_string(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_char(chars: &[char], mut i: usize) -> usize {
    // The character behind the backslash may itself be a quote.
    i += 1;
    while i < chars.len() && chars[i] != '\'' {
        i += 1;
    }
    i + 1
}

/// Whether `r"`, `r#"`, `br"` and the like begin here.
fn is_raw(chars: &[char], mut i: usize) -> bool {
    if i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_') {
        return false;
    }
    if matches!(chars[i], 'b' | 'c') {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return false;
    }
    i += 1;
    while chars.get(i) == Some(&'#') {
        i += 1;
    }
    chars.get(i) == Some(&'"')
}

fn after_raw(chars: &[char], mut i: usize) -> usize {
    while chars[i] != '#' && chars[i] != '"' {
        i += 1;
    }
    let mut hashes = 0;
    while chars[i] == '#' {
        (hashes, i) = (hashes + 1, i + 1);
    }
    i += 1;
    while i < chars.len() {
        let closed =
            chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        if closed {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

/// Every path named in a file of this module.
pub(super) fn mentions(module: &[String], text: &str) -> Vec<Mention> {
    let tokens = tokens(text);
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    // Inline modules that are open: their names, and the depth of braces they were opened at.
    let (mut inline, mut depth) = (Vec::<(String, usize)>::new(), 0_usize);
    let mut i = 0;
    while i < tokens.len() {
        match at(i) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last().is_some_and(|(_, opened)| *opened == depth) {
                    inline.pop();
                }
            }
            "mod" if at(i + 2) == "{" => {
                inline.push((at(i + 1).to_owned(), depth));
                i += 1;
            }
            "use" | "crate" if at(i) == "use" || (i > 0 && at(i - 1) == "extern") => {
                let base = here(module, &inline);
                let mut paths = Vec::new();
                let line = tokens[i].line;
                i = tree(&tokens, i + 1, &[], &mut paths);
                found.extend(paths.into_iter().map(|path| Mention {
                    line,
                    path: resolve(&base, path),
                    import: true,
                }));
                continue;
            }
            word if is_word(word) && !matches!(i.checked_sub(1).map(at), Some("::" | ".")) => {
                let mut path = vec![word.to_owned()];
                let line = tokens[i].line;
                while at(i + 1) == "::" && is_word(at(i + 2)) {
                    path.push(at(i + 2).to_owned());
                    i += 2;
                }
                if path.len() > 1 {
                    found.push(Mention { line, path: resolve(&here(module, &inline), path), import: false });
                }
            }
            "::" if is_word(at(i + 1)) && !is_word(i.checked_sub(1).map_or("", at)) && at(i - 1) != ">" => {
                let path = vec![at(i + 1).to_owned(), String::new()];
                found.push(Mention { line: tokens[i].line, path, import: false });
            }
            _ => {}
        }
        i += 1;
    }
    found
}

fn is_word(text: &str) -> bool {
    text == "*" || text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn here(module: &[String], inline: &[(String, usize)]) -> Vec<String> {
    module.iter().cloned().chain(inline.iter().map(|(name, _)| name.clone())).collect()
}

/// Reads one `use` tree from token `i`; gives where it ended.
fn tree(tokens: &[Token], mut i: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut path = prefix.to_vec();
    loop {
        match at(i) {
            "::" => i += 1,
            "{" => {
                i += 1;
                while i < tokens.len() && at(i) != "}" {
                    i = tree(tokens, i, &path, paths);
                    if at(i) == "," {
                        i += 1;
                    }
                }
                return i + 1;
            }
            "as" => i += 2,
            word if is_word(word) => {
                path.push(word.to_owned());
                i += 1;
            }
            _ => {
                paths.push(path);
                // An unreadable token must not stop the reader at the same place for ever.
                return if matches!(at(i), "," | "}" | ";") { i } else { i + 1 };
            }
        }
    }
}

/// Turns `self` and `super` at the start into a path from the crate's root.
fn resolve(base: &[String], path: Vec<String>) -> Vec<String> {
    if !matches!(path.first().map(String::as_str), Some("self" | "super" | "holdall")) {
        return path;
    }
    let mut base = base.to_vec();
    let mut rest = path.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        match first.as_str() {
            "super" => drop(base.pop()),
            "holdall" => base.clear(),
            "self" => {}
            _ => break,
        }
        rest = behind;
    }
    std::iter::once("crate".to_owned()).chain(base).chain(rest.iter().cloned()).collect()
}

/// The words of every `static` up to its value, with its line.
pub(super) fn statics(text: &str) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "static") {
        let words = tokens[i + 1..].iter().map(|token| token.text.clone());
        found.push((token.line, words.take_while(|word| word != "=" && word != ";").collect()));
    }
    found
}
