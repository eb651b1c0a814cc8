//! Who a request of WebDAV or the JSON API is from. S3 signs its requests and looks at that
//! itself; the rule who is who is the domain's.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{
    body::Body,
    context::{Peer, RequestContext},
    problem::problem,
};
use crate::{
    domain::{Error, Holdall, Presented, caller::Caller, error::Unrecognised},
    model::secret::Secret,
};

/// What a request without good credentials is answered with.
pub const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="Holdall", charset="UTF-8""#);

/// Credentials as the header has them.
#[derive(Debug)]
enum Credentials {
    None,
    Password {
        user: String,
        password: Secret,
    },
    Token(Secret),
    /// There is something, and it is nothing we know.
    Unreadable,
}

/// Recognises the caller and tells the log. Nobody is [`Caller::Anonymous`]; on the
/// administration socket, which only the operator can open, it is [`Caller::Operator`].
///
/// # Errors
/// If credentials were sent that are not right, or cannot be checked at the moment.
pub async fn authenticate(
    holdall: &Holdall,
    headers: &HeaderMap,
    context: &RequestContext,
) -> Result<Caller, Error> {
    let caller = match credentials(headers) {
        Credentials::None if context.peer == Peer::Socket => Caller::Operator,
        Credentials::None => Caller::Anonymous,
        Credentials::Password { user, password } => {
            let from = context.peer.net();
            holdall.authenticate(Presented::Password { user: &user, password: &password, from }).await?
        }
        Credentials::Token(token) => holdall.authenticate(Presented::Token(&token)).await?,
        Credentials::Unreadable => return Err(Error::Unauthenticated(Unrecognised::Wrong)),
    };
    context.note_caller(&caller);
    Ok(caller)
}

/// 401 with the challenge.
#[must_use]
pub fn unauthorized() -> Response<Body> {
    let mut response =
        problem(StatusCode::UNAUTHORIZED, "unauthenticated", "credentials are missing or wrong");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Credentials::None };
    if values.next().is_some() {
        return Credentials::Unreadable;
    }
    readable(value).unwrap_or(Credentials::Unreadable)
}

fn readable(value: &HeaderValue) -> Option<Credentials> {
    let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!rest.is_empty()).then(|| Credentials::Token(Secret::new(rest)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    // Windows sends its own domain along.
    let user = user.rsplit_once('\\').map_or(user, |(_, user)| user);
    Some(Credentials::Password { user: user.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Credentials {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        credentials(&headers)
    }

    fn basic(text: &str) -> Option<(String, String)> {
        match read(&[&format!("Basic {}", STANDARD.encode(text))]) {
            Credentials::Password { user, password } => Some((user, password.reveal().to_owned())),
            _ => None,
        }
    }

    #[test]
    fn a_name_and_a_password_are_taken_apart_at_the_first_colon() {
        let pair = |user: &str, password: &str| Some((user.into(), password.into()));
        assert_eq!(basic("ann:a:b"), pair("ann", "a:b"));
        assert_eq!(basic("ann:"), pair("ann", ""));
        assert_eq!(basic("HOME\\ann:pä\\ss"), pair("ann", "pä\\ss"));
        assert_eq!(basic("ann"), None);
    }

    #[test]
    fn what_cannot_be_read_is_not_nobody() {
        let latin = format!("Basic {}", STANDARD.encode(b"ann:p\xe4ss"));
        for values in [
            &[latin.as_str()][..],
            &["Basic !!!"],
            &["Basic"],
            &["Bearer "],
            &["Digest username=\"ann\""],
            &["AWS4-HMAC-SHA256 Credential=x"],
            &["Bearer a", "Bearer b"],
            &[""],
        ] {
            assert!(matches!(read(values), Credentials::Unreadable), "{values:?}");
        }
        assert!(matches!(read(&[]), Credentials::None));
        assert!(matches!(read(&["bEARER  abc"]), Credentials::Token(token) if token.matches("abc")));
    }
}
