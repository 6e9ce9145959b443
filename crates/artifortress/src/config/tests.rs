//! Every refusal, the precedence of the sources, and the committed reference.

use std::path::Path;

use clap::{Args, Command, FromArgMatches};

use super::*;

/// A data folder of its own, so that no file of this machine is found.
struct Case {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().display().to_string();
        Self { folder, variables: vec![("ARTIFORTRESS_DATA_DIR".into(), data)], flags: Vec::new() }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.into());
        self
    }

    fn file(self, text: &str) -> Self {
        self.write("artifortress.toml", text);
        self
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let command = ConfigFlags::augment_args(Command::new("test"));
        let words = std::iter::once("test".to_owned()).chain(self.flags.iter().cloned());
        let matches = command.try_get_matches_from(words).expect("the flags parse");
        let flags = ConfigFlags::from_arg_matches(&matches).expect("flags");
        Config::load(&flags, &self.variables.iter().cloned().collect())
    }

    fn loaded(&self) -> Config {
        self.load().expect("accepted")
    }

    /// The one message of the refusal.
    fn refusal(&self) -> String {
        let error = self.load().expect_err("refused");
        assert_eq!(error.problems.len(), 1, "{error}");
        error.problems[0].to_string()
    }
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn defaults_are_valid_and_documented() {
    for setting in Config::settings() {
        if !setting.default.is_empty() {
            setting.check(setting.default).unwrap_or_else(|why| panic!("{}: {why}", setting.name()));
        }
        assert!(setting.doc.trim().ends_with('.'), "{} needs a sentence", setting.name());
    }
    let case = Case::new();
    let config = case.loaded();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.rate.requests_per_minute, 6000);
    assert_eq!(config.database_url(), DatabaseUrl::Sqlite(case.folder.path().join("artifortress.db")));
    assert_eq!(config.blob_place(), BlobPlace::Folder(case.folder.path().join("blobs")));
}

#[test]
fn names_follow_the_rule_and_are_unique() {
    let mut seen = std::collections::BTreeSet::new();
    for setting in Config::settings() {
        assert!(seen.insert(setting.variable()), "{} twice", setting.variable());
        assert!(seen.insert(setting.flag()), "{} twice", setting.flag());
    }
    let session = Config::settings().find(|s| s.name() == "upload.session_minutes").expect("exists");
    assert_eq!(session.variable(), "ARTIFORTRESS_UPLOAD_SESSION_MINUTES");
    assert_eq!(session.flag(), "upload-session-minutes");
    for fixed in
        ["ARTIFORTRESS_DATA_DIR", "ARTIFORTRESS_BLOBS", "ARTIFORTRESS_LOG", "ARTIFORTRESS_DATABASE_URL", "AWS_REGION"]
    {
        assert!(seen.contains(fixed), "{fixed}");
    }
}

#[test]
fn flags_win_over_variables_which_win_over_the_file() {
    let case = Case::new().file("[upload]\nsession_minutes = 7\n");
    assert_eq!(case.loaded().upload.session_minutes, 7);
    let case = case.set("ARTIFORTRESS_UPLOAD_SESSION_MINUTES", "8");
    assert_eq!(case.loaded().upload.session_minutes, 8);
    assert_eq!(case.flag("--upload-session-minutes=9").loaded().upload.session_minutes, 9);
}

#[test]
fn a_named_file_is_read_and_must_exist() {
    let case = Case::new();
    let path = case.write("other.toml", "hsts = true\ntrusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\n");
    let config = case.set("ARTIFORTRESS_CONFIG", &path).loaded();
    assert!(config.server.hsts);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    says(&Case::new().flag("--config=/nowhere/x.toml").refusal(), &["/nowhere/x.toml", "cannot be read"]);
}

#[test]
fn an_unknown_key_names_its_line() {
    says(&Case::new().file("\n[upload]\nsesion_minutes = 7\n").refusal(), &["upload.sesion_minutes", "line 3"]);
    says(&Case::new().file("uploads = { session_minutes = 7 }\n").refusal(), &["uploads.session_minutes", "line 1"]);
    says(&Case::new().file("[upload.deep]\nx = 7\n").refusal(), &["upload.deep", "line 1"]);
    says(&Case::new().file("hsts =\n").refusal(), &["not valid TOML", "line 1"]);
    says(&Case::new().file("hsts = true\nhsts = true\n").refusal(), &["not valid TOML", "duplicate", "line 2"]);
    says(&Case::new().file("hsts = 1.5\n").refusal(), &["hsts", "must be a text", "line 1"]);
}

#[test]
fn an_unknown_variable_is_refused_but_service_links_are_not() {
    says(&Case::new().set("ARTIFORTRESS_LISTN", "x").refusal(), &["ARTIFORTRESS_LISTN", "no known setting"]);
    let links = Case::new()
        .set("ARTIFORTRESS_SERVICE_HOST", "10.0.0.1")
        .set("ARTIFORTRESS_API_SERVICE_PORT_HTTP", "80")
        .set("ARTIFORTRESS_PORT", "tcp://10.0.0.1:80")
        .set("ARTIFORTRESS_PORT_80_TCP_ADDR", "10.0.0.1");
    links.loaded();
    says(&Case::new().set("ARTIFORTRESS_PORT", "80").refusal(), &["ARTIFORTRESS_PORT"]);
}

#[test]
fn a_value_out_of_range_names_key_place_and_range() {
    let message = Case::new().flag("--worker-batch-size=0").refusal();
    says(&message, &["worker.batch_size", "flag --worker-batch-size", "1 to 5000"]);
    let message = Case::new().set("ARTIFORTRESS_UPLOAD_SESSION_MINUTES", "4").refusal();
    says(&message, &["upload.session_minutes", "variable ARTIFORTRESS_UPLOAD_SESSION_MINUTES", "5 to 10080"]);
    // What the API would refuse; the database as well.
    says(&Case::new().flag("--quota-max-upload-sessions=1001").refusal(), &["quota.max_upload_sessions", "1 to 1000"]);
    says(&Case::new().flag("--quota-max-pending-jobs=50001").refusal(), &["quota.max_pending_jobs", "1 to 50000"]);
    let message = Case::new().file("[rate]\nlogins_per_minute = -1\n").refusal();
    says(&message, &["rate.logins_per_minute", "line 2"]);
    says(&Case::new().set("ARTIFORTRESS_HSTS", "maybe").refusal(), &["hsts", "true or false"]);
    says(&Case::new().set("ARTIFORTRESS_LISTEN", "8080").refusal(), &["listen", "address and a port"]);
    says(&Case::new().set("ARTIFORTRESS_ENVIRONMENT", "Prod 1").refusal(), &["environment", "lower-case"]);
    says(&Case::new().set("ARTIFORTRESS_LOG", "loud").refusal(), &["log.filter", "level"]);
    says(&Case::new().set("ARTIFORTRESS_TRUSTED_PROXIES", "10.0.0.0/40").refusal(), &["trusted_proxies"]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let case = Case::new().set("ARTIFORTRESS_WHAT", "x").flag("--http-idle-seconds=0").file("nothing = 1\n");
    assert_eq!(case.load().expect_err("refused").problems.len(), 3);
}

#[test]
fn an_empty_value_is_refused_unless_it_means_off() {
    says(&Case::new().set("ARTIFORTRESS_DATABASE_URL", "").refusal(), &["database.url", "empty"]);
    says(&Case::new().set("ARTIFORTRESS_MASTER_KEY", "").refusal(), &["master_key", "empty"]);
    assert_eq!(Case::new().set("ARTIFORTRESS_OPS_LISTEN", "").loaded().server.ops_listen, None);
    assert_eq!(Case::new().set("AWS_REGION", "").loaded().s3.region, "us-east-1");
}

#[test]
fn secrets_on_the_command_line_are_refused() {
    let message = Case::new().flag("--bootstrap-token=hunter2").refusal();
    says(&message, &["bootstrap_token", "flag --bootstrap-token", "ARTIFORTRESS_BOOTSTRAP_TOKEN"]);
    assert!(!message.contains("hunter2"));
    let message = Case::new().flag("--database-url=postgres://a:hunter2@h/d").refusal();
    says(&message, &["database.url", "password", "--database-url-file"]);
    assert!(!message.contains("hunter2"));
    let config = Case::new().flag("--database-url=postgres://a@h/d").loaded();
    assert!(matches!(config.database_url(), DatabaseUrl::Postgres(_)));
}

#[test]
fn a_secret_comes_from_a_file_too_but_not_from_both() {
    let case = Case::new();
    let path = case.write("token", "from-a-file\n");
    let case = case.set("ARTIFORTRESS_BOOTSTRAP_TOKEN_FILE", &path);
    assert_eq!(case.loaded().server.bootstrap_token.expect("set").expose(), "from-a-file");
    let message = case.set("ARTIFORTRESS_BOOTSTRAP_TOKEN", "x").refusal();
    says(&message, &["bootstrap_token", "ARTIFORTRESS_BOOTSTRAP_TOKEN_FILE", "choose one"]);
    let message = Case::new().flag("--master-key-file=/nowhere/key").refusal();
    says(&message, &["master_key_file", "/nowhere/key", "flag --master-key-file"]);
    let case = Case::new();
    let empty = case.write("empty", "\n");
    says(&case.set("AWS_SECRET_ACCESS_KEY_FILE", &empty).refusal(), &["s3.secret_access_key_file", "is empty"]);
}

#[test]
fn a_master_key_has_32_bytes_and_is_never_shown() {
    let hex = "0b".repeat(32);
    let config = Case::new().set("ARTIFORTRESS_MASTER_KEY", &hex).loaded();
    assert_eq!(config.server.master_key.as_ref().expect("set").0.expose(), &[11; 32]);
    assert!(!format!("{config:?}").contains("0b0b") && !format!("{config:?}").contains("11, 11"));
    let message = Case::new().set("ARTIFORTRESS_MASTER_KEY", "hunter2").refusal();
    says(&message, &["master_key", "32 bytes", "ARTIFORTRESS_MASTER_KEY"]);
    assert!(!message.contains("hunter2"));
}

#[test]
fn settings_agree_among_themselves() {
    says(&Case::new().flag("--tls-cert=/x").refusal(), &["tls.key", "missing"]);
    let message = Case::new().set("ARTIFORTRESS_TOKENS_MAX_TTL_MINUTES", "60").refusal();
    says(&message, &["tokens.default_ttl_minutes", "larger"]);
    let case = Case::new().flag("--blobs=s3://b/p").set("AWS_ACCESS_KEY_ID", "k");
    says(&case.refusal(), &["s3.secret_access_key", "missing"]);
    case.set("AWS_SECRET_ACCESS_KEY", "s").loaded();
}

#[test]
fn a_file_found_through_the_data_folder_cannot_move_it() {
    says(&Case::new().file("data = \"/elsewhere\"\n").refusal(), &["data", "line 1", "found through it"]);
}

#[test]
fn each_process_gets_what_it_needs_or_says_what_is_missing() {
    let embedded = Case::new().loaded();
    assert!(embedded.check_for(Process::Serve).is_ok());
    says(&embedded.check_for(Process::Api).expect_err("refused").to_string(), &["database.url", "postgres://"]);
    let shared = Case::new().set("ARTIFORTRESS_DATABASE_URL", "postgres://a:b@h/d");
    let refusal = shared.loaded().check_for(Process::Worker).expect_err("refused").to_string();
    says(&refusal, &["master_key", "ARTIFORTRESS_MASTER_KEY_FILE"]);
    assert!(shared.loaded().check_for(Process::Migrate).is_ok());
    let shared = shared.set("ARTIFORTRESS_MASTER_KEY", &"00".repeat(32));
    assert!(shared.loaded().check_for(Process::Beat).is_ok());
}

#[test]
fn a_switch_needs_no_value_on_the_command_line() {
    assert!(Case::new().flag("--hsts").loaded().server.hsts);
    assert!(!Case::new().flag("--hsts=false").loaded().server.hsts);
}

#[test]
fn the_committed_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/configuration.md");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != reference() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, reference()).expect("written");
        panic!("docs/operate/configuration.md was out of date: it is written anew, commit it");
    }
}
