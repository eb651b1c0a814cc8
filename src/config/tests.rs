//! The layers, against files in a folder of their own.

use std::{fs, path::Path};

use super::{keys::KEYS, *};

fn given(folder: &Path) -> Given {
    Given { folder: folder.to_owned(), ..Given::default() }
}

fn source_of(settings: &Settings, name: &str) -> String {
    settings.shown().iter().find(|(key, ..)| *key == name).unwrap().2.to_string()
}

fn refusal(file: &str, environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.toml"), file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let refused = Settings::load(Given { environment, ..given(folder.path()) }).unwrap_err().to_string();
    refused.replace(&format!("{}/", folder.path().display()), "")
}

/// What people are promised where nobody has set anything.
#[test]
fn the_whole_store_is_read_again_every_thirty_days_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Settings::load(given(folder.path())).unwrap().disk_scrub_days, 30);
    fs::write(folder.path().join("config.toml"), "[disk]\nscrub_days = 7\n").unwrap();
    assert_eq!(Settings::load(given(folder.path())).unwrap().disk_scrub_days, 7);
}

#[test]
fn the_nearest_layer_wins_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("config.toml"),
        "data = \"a\"\n[s3]\nregion = \"file\"\nhosts = [\"x\", \"y\"]\n",
    )
    .unwrap();
    fs::write(folder.path().join(".env"), "HOLDALL_S3_REGION=dotenv\nHOLDALL_DATA=b\nPATH=/x\n").unwrap();
    let settings = Settings::load(Given {
        environment: vec![("HOLDALL_DATA".into(), "c".into()), ("HOME".into(), "/".into())],
        flags: vec![("listen", "127.0.0.1:1".into())],
        ..given(folder.path())
    })
    .unwrap();
    assert_eq!((settings.data.to_str(), settings.s3_region.as_str()), (Some("c"), "dotenv"));
    assert_eq!(settings.s3_hosts, ["x", "y"]);
    assert_eq!(source_of(&settings, "data"), "environment");
    assert_eq!(source_of(&settings, "s3.region"), ".env");
    assert!(source_of(&settings, "s3.hosts").ends_with("config.toml"));
    assert_eq!(source_of(&settings, "listen"), "flag");
    assert_eq!(source_of(&settings, "dedup"), "default");
}

#[test]
fn unknown_settings_are_refused_by_name() {
    assert_eq!(
        refusal("[s3]\nregoin = \"x\"\n", &[]),
        "config.toml: there is no setting s3.regoin; did you mean s3.region? If not, take it out, or name \
         another file with --config"
    );
    assert_eq!(
        refusal("", &[("HOLDALL_REGION", "x")]),
        "environment: there is no setting HOLDALL_REGION; did you mean HOLDALL_S3_REGION? If not, take it out"
    );
    assert!(refusal("", &[("HOLDALL_DATE", "x")]).contains("did you mean HOLDALL_DATA?"));
}

#[test]
fn wrong_values_are_refused_with_what_to_do() {
    assert_eq!(
        refusal("listen = \"localhost\"\n", &[]),
        "config.toml: listen is \"localhost\"; it must be an IP address and port such as 127.0.0.1:7070 \
         (0.0.0.0 or [::] for all networks)"
    );
    assert_eq!(
        refusal("data = 1.5\n", &[]).split(';').next().unwrap(),
        "config.toml: data must be a text, number, true, false or a list of texts"
    );
    assert_eq!(refusal("data = \"\"\n", &[]), "data must not be empty; take it out to get the default");
    assert_eq!(
        refusal("[tls]\ncert = \"c.pem\"\n", &[]),
        "tls.cert is set and tls.key is not; set both or none"
    );
    let broken = refusal("\n[admin]\npassword = hush-hush\n", &[]);
    assert!(broken.starts_with("config.toml: line 3: "), "{broken}");
    assert!(!broken.contains("hush"), "a broken line may hold a secret: {broken}");
    assert!(refusal("", &[("HOLDALL_CONFIG", "/nowhere.toml")]).contains("there is no such file"));
}

#[test]
fn secrets_are_shown_as_stars_only() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("HOLDALL_ADMIN_PASSWORD", "hush-hush"),
        ("HOLDALL_ADMIN_ACCESS_KEY", "AK"),
        ("HOLDALL_ADMIN_SECRET_KEY", "quiet-quiet"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let settings = Settings::load(Given { environment, ..given(folder.path()) }).unwrap();
    assert_eq!(settings.admin.password.as_ref().unwrap().reveal(), "hush-hush");
    let everything = format!("{settings:?}");
    assert!(everything.contains("AK") && !everything.contains("hush") && !everything.contains("quiet"));
}

#[test]
fn the_documented_file_has_every_setting_with_its_default() {
    let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
    let settings =
        Settings::load(Given { file: Some(documented), ..given(Path::new("/nonexistent")) }).unwrap();
    for key in &KEYS {
        let (_, text, source) = settings.shown().iter().find(|(name, ..)| *name == key.name).unwrap();
        assert_ne!(*source, Source::Default, "config.toml does not document {}", key.name);
        assert_eq!(text, key.default, "config.toml has another default for {}", key.name);
    }
}
