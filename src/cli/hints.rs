//! The exact lines to mount the files and to reach them with S3 clients: after the first start,
//! and `holdall mount-help`.

use std::net::IpAddr;

use http::Method;
use serde_json::json;
use tokio::time::timeout;

use super::{
    Context,
    arguments::MountHelp,
    failure::Failure,
    reach::{self, PATIENCE, Reach},
    user,
};
use crate::{
    config::Settings,
    domain::Welcome,
    doors::api::types::{Account, Listens},
    model::secret::Secret,
};

/// Where the server is, as a client on this machine sees it.
#[derive(Debug)]
pub(super) struct Site {
    /// `http` or `https`.
    scheme: String,
    /// Host and port.
    host: String,
    /// The account.
    user: String,
    /// The region S3 clients sign for.
    region: String,
}

impl Site {
    /// The site of a server that listens there.
    pub(super) fn of(settings: &Settings, at: &Listens, user: &str) -> Self {
        let address = at.address;
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let scheme = if at.tls { "https" } else { "http" };
        Self {
            scheme: scheme.to_owned(),
            host: format!("{ip}:{}", address.port()),
            user: user.to_owned(),
            region: settings.s3_region.clone(),
        }
    }

    fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// `dav` or `davs` and the like.
    fn kind(&self, name: &str) -> String {
        if self.scheme == "https" { format!("{name}s") } else { name.to_owned() }
    }
}

/// What the first start says behind the credentials.
pub(super) fn first_lines(site: &Site, made: &Welcome) -> String {
    let (url, user, region) = (site.url(), &site.user, &site.region);
    let (key, secret) = (&made.access_key, made.secret_key.as_ref().map_or("SECRET", Secret::reveal));
    let gio = format!("{}://{user}@{}/dav/", site.kind("dav"), site.host);
    format!(
        "Mount it (`holdall mount-help` has the lines for every system):
  gio mount {gio}

aws-cli:
  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={region}
  aws --endpoint-url {url} s3 ls s3://{user}

rclone:
  rclone config create holdall s3 provider=Other endpoint={url} region={region} \\
    access_key_id={key} secret_access_key={secret}
  rclone lsf holdall:{user}
"
    )
}

/// One system and its lines.
struct Hint {
    system: &'static str,
    lines: Vec<String>,
}

/// `holdall mount-help`.
pub(super) async fn run(context: &Context, help: &MountHelp) -> Result<(), Failure> {
    let url = help.url.as_deref().map(address).transpose()?;
    let reach = Reach::find(&context.settings).await?;
    let user = user(&reach, help.user.as_deref()).await?;
    let mut site = Site::of(&context.settings, &listens(&context.settings).await, &user);
    if let Some((scheme, host)) = url {
        site.scheme = scheme;
        site.host = host;
    }
    let hints = hints(&site);
    let value: Vec<_> =
        hints.iter().map(|hint| json!({ "system": hint.system, "lines": hint.lines })).collect();
    context.printer.one(&value, || {
        let text = hints.iter().map(|hint| format!("{}\n  {}\n", hint.system, hint.lines.join("\n  ")));
        text.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    })
}

/// Where the running server listens, or where one with these settings would.
async fn listens(settings: &Settings) -> Listens {
    match timeout(PATIENCE, reach::version(settings)).await {
        Ok(Ok(server)) => reach::first(server, settings),
        Ok(Err(_)) | Err(_) => reach::configured(settings),
    }
}

/// The account that is asked for, or the first admin: one that is there.
async fn user(reach: &Reach, given: Option<&str>) -> Result<String, Failure> {
    if let Some(name) = given {
        let account: Account = reach.ask(Method::GET, &user::address(name)).await?;
        return Ok(account.name);
    }
    let accounts: Vec<Account> = reach.ask(Method::GET, "/api/v1/accounts").await?;
    let admins = accounts.into_iter().filter(|account| account.admin && !account.disabled);
    let first = admins.min_by(|one, other| one.created.cmp(&other.created));
    let none = || Failure::Refused("there is no admin; name an account with --user".into());
    first.map(|account| account.name).ok_or_else(none)
}

/// Scheme and host of an address that was given.
fn address(url: &str) -> Result<(String, String), Failure> {
    let whole = url.split_once("://").filter(|(scheme, host)| {
        matches!(*scheme, "http" | "https") && !host.trim_end_matches('/').is_empty()
    });
    let (scheme, host) = whole.ok_or_else(|| {
        Failure::Usage(format!("--url {url}: an address such as https://files.example.org"))
    })?;
    Ok((scheme.to_owned(), host.trim_end_matches('/').to_owned()))
}

/// rclone's WebDAV remote, without who it is for. ownCloud's dialect carries times of last change,
/// by which `sync` sees changes that leave the length as it was; and unless told, rclone waits 10 ms
/// before every request.
fn rclone_dav(url: &str) -> String {
    format!(
        "rclone config create --obscure holdall-dav webdav url={url}/dav vendor=owncloud pacer_min_sleep=0"
    )
}

fn hints(site: &Site) -> Vec<Hint> {
    let (url, user, region) = (site.url(), &site.user, &site.region);
    let hint = |system, lines: &[String]| Hint { system, lines: lines.to_vec() };
    // What must be so first, first: Windows sends no password without TLS, and cuts files at 50 MB.
    let parameters = "reg add HKLM\\SYSTEM\\CurrentControlSet\\Services\\WebClient\\Parameters";
    let mut windows = vec!["once, as administrator:".to_owned()];
    if site.scheme == "http" {
        windows.push(format!("{parameters} /v BasicAuthLevel /t REG_DWORD /d 2 /f"));
    }
    windows.push(format!("{parameters} /v FileSizeLimitInBytes /t REG_DWORD /d 4294967295 /f"));
    windows.push("net stop webclient & net start webclient".to_owned());
    windows.push("then, as yourself:".to_owned());
    windows.push(format!("net use H: {url}/dav /user:{user} *"));
    vec![
        hint("GNOME (Files, gio)", &[format!("gio mount {}://{user}@{}/dav/", site.kind("dav"), site.host)]),
        hint("KDE (Dolphin)", &[format!("dolphin {}://{user}@{}/dav/", site.kind("webdav"), site.host)]),
        hint(
            "macOS (Finder; read-only as long as the server offers no locks)",
            &[
                format!("open {url}/dav/"),
                format!("or: mkdir -p ~/holdall && mount_webdav -i {url}/dav/ ~/holdall"),
            ],
        ),
        hint("Windows (Explorer)", &windows),
        hint(
            "Linux (davfs2)",
            &[
                "sudo mkdir -p /mnt/holdall".to_owned(),
                format!(
                    "sudo mount -t davfs -o username={user},uid=$(id -u),gid=$(id -g) {url}/dav/ /mnt/holdall"
                ),
                "and at the end, which waits until all is sent: sudo umount /mnt/holdall".to_owned(),
            ],
        ),
        hint(
            "rclone (WebDAV)",
            &[
                format!("{} user={user} pass=PASSWORD", rclone_dav(&url)),
                "mkdir -p ~/holdall && rclone mount --daemon --vfs-cache-mode writes holdall-dav: ~/holdall"
                    .to_owned(),
                "and at the end: fusermount3 -u ~/holdall".to_owned(),
            ],
        ),
        hint(
            "rclone (S3)",
            &[
                format!(
                    "rclone config create holdall s3 provider=Other endpoint={url} region={region} access_key_id=KEY secret_access_key=SECRET"
                ),
                format!("rclone lsf holdall:{user}"),
            ],
        ),
        hint(
            "aws-cli",
            &[
                format!(
                    "export AWS_ACCESS_KEY_ID=KEY AWS_SECRET_ACCESS_KEY=SECRET AWS_DEFAULT_REGION={region}"
                ),
                format!("aws --endpoint-url {url} s3 ls s3://{user}"),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(scheme: &str) -> Site {
        Site { scheme: scheme.into(), host: "h.example:1".into(), user: "ann".into(), region: "r".into() }
    }

    fn text(scheme: &str) -> String {
        hints(&site(scheme)).iter().flat_map(|hint| hint.lines.clone()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_line_names_the_scheme_that_is_served() {
        let clear = text("http");
        assert!(clear.contains("dav://ann@h.example:1/dav/") && clear.contains("BasicAuthLevel"));
        let encrypted = text("https");
        assert!(encrypted.contains("davs://ann@h.example:1/dav/"));
        assert!(encrypted.contains("webdavs://ann@h.example:1/dav/"));
        assert!(!encrypted.contains("http://") && !encrypted.contains("BasicAuthLevel"));
    }

    /// The story: the drive stood above what Windows needs before it gives one.
    #[test]
    fn what_has_to_be_done_first_stands_first() {
        for scheme in ["http", "https"] {
            let lines = text(scheme);
            let at = |found: &str| lines.find(found).unwrap();
            assert!(at("FileSizeLimitInBytes") < at("net start webclient"));
            assert!(at("net start webclient") < at("net use H:"));
            assert!(at("mkdir -p ~/holdall && rclone mount") < at("fusermount3 -u ~/holdall"));
        }
    }

    /// The same line in the README and on the start page: who reads one must not get less.
    #[test]
    fn rclone_is_told_the_same_everywhere() {
        let readme = include_str!("../../README.md").replace(" \\\n      ", " ");
        let page = include_str!("../doors/gate/page.html").replace("{scheme}://{host}", "URL");
        assert!(readme.contains(&rclone_dav("http://127.0.0.1:7070")), "{readme}");
        assert!(page.contains(&rclone_dav("URL")), "{page}");
    }
}
