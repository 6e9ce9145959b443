//! Nothing that opens a door is committed: private keys, tokens of known shapes, passwords, long random values.
//! The scan is first shown samples, put together at run time so that this file holds none.

use acceptance::{Result, tree};

/// Tokens that say what they are: prefix, and how many token letters follow at least.
const SHAPES: [(&str, &str, usize); 16] = [
    ("AK", "IA", 16),
    ("AS", "IA", 16),
    ("gh", "p_", 36),
    ("gh", "o_", 36),
    ("gh", "s_", 36),
    ("github", "_pat_", 40),
    ("gl", "pat-", 20),
    ("np", "m_", 36),
    ("py", "pi-AgE", 40),
    ("xo", "xb-", 20),
    ("xo", "xp-", 20),
    ("AI", "za", 35),
    ("sk", "_live_", 20),
    ("sk", "-ant-", 20),
    ("hv", "s.", 24),
    ("ey", "JhbGciOi", 20),
];

/// Words in a name whose value is nobody's business.
const NAMES: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "private_key", "access_key"];

/// Files in which a settled value is a mistake even when it is short: what people copy and run.
const SETTINGS: [&str; 9] = [".toml", ".yaml", ".yml", ".env", ".ini", ".conf", ".sh", ".service", ".properties"];

#[test]
fn the_scan_sees_what_it_should() {
    let letters = "Zq7fR2mK9xWc4TnV8bLs3HdJ6gYpA5eU0oXiQwEr".to_string();
    let key = format!("-----BEGIN {} KEY-----", "RSA PRIVATE");
    let mut samples = vec![("a.pem", key.clone()), ("a.rs", format!("const K: &str = \"{key}\";"))];
    for (first, second, length) in SHAPES {
        samples
            .push(("a.md", format!("export X={first}{second}{}", letters.repeat(2).get(..length).unwrap_or_default())));
    }
    samples.push(("a.rs", format!("let {} = \"{letters}\";", "admin_token")));
    samples.push(("a.json", format!("{{\"{}\": \"{letters}\"}}", "clientSecret")));
    samples.push(("a.yaml", format!("{}: {}", "db_password", "hunter2hunter2")));
    samples.push(("deploy/.env", format!("POSTGRES_{}={}", "PASSWORD", "correct-horse")));
    samples.push(("a.md", format!("postgres://app:{letters}@db/x")));
    for (file, sample) in &samples {
        assert_eq!(scan(file, sample).len(), 1, "{file}: {sample}");
    }
    let innocent = [
        ("a.rs", "let password = random_text()?; let token = \"a-token\"; struct Token(String); // token: a word"),
        ("a.rs", "const TOKEN_VARIABLE: &str = \"ARTIFORTRESS_BOOTSTRAP_TOKEN\";"),
        (
            "a.yaml",
            "password: ${POSTGRES_PASSWORD}\ntoken: <your token>\nsecret_file: \"/run/secrets/key\"\npassword: \"\"",
        ),
        ("a.sh", "TOKEN=\"$(cat token)\"\nexport SECRET=$1"),
        ("a.toml", "token_minutes = 60\n# password = \"…\""),
        ("a.md", "postgres://app:…@db/x and postgres://app:password@db/x"),
        ("a.rs", "assert_eq!(digest, \"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\");"),
    ];
    for (file, sample) in innocent {
        assert_eq!(scan(file, sample), Vec::<String>::new(), "{sample}");
    }
}

#[test]
fn no_secret_is_committed() -> Result<()> {
    let mut found = Vec::new();
    for file in tree::files()?.iter().filter(|file| !file.ends_with("Cargo.lock")) {
        found.extend(scan(file, &tree::text(file)?));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// What in `text` looks like a secret, without repeating it.
fn scan(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| offence(file, line).map(|what| format!("{file}:{}: {what}", number + 1)))
        .collect()
}

fn offence(file: &str, line: &str) -> Option<&'static str> {
    let kind = line.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----"));
    if kind.is_some_and(|(kind, _)| kind.ends_with("PRIVATE KEY")) {
        return Some("a private key");
    }
    if SHAPES.iter().any(|(first, second, length)| has_token(line, &format!("{first}{second}"), *length)) {
        return Some("a token");
    }
    if url_password(line).is_some_and(looks_random) {
        return Some("a password inside an address");
    }
    let (name, value) = assignment(line)?;
    let settings = SETTINGS.iter().any(|ending| file.ends_with(ending)) && literal(value);
    (NAMES.iter().any(|word| name.ends_with(word)) && (settings || looks_random(value)))
        .then_some("a value for a secret")
}

fn has_token(line: &str, prefix: &str, length: usize) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        let starts = !line[..at].ends_with(|last: char| last.is_ascii_alphanumeric());
        let tail = &line[at + prefix.len()..];
        let letters = tail.find(|next: char| !next.is_ascii_alphanumeric() && !"_-.".contains(next));
        starts && letters.unwrap_or(tail.len()) >= length
    })
}

fn url_password(line: &str) -> Option<&str> {
    let rest = line.split_once("://")?.1;
    let login = rest.split_once('@')?.0;
    let (user, password) = login.split_once(':')?;
    (!user.contains('/') && !password.contains('/')).then_some(password)
}

/// The first `name = value`, `name: value` or `"name": "value"` on the line; the name in snake case, the value unquoted.
fn assignment(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start();
    let at = line.find(['=', ':'])?;
    let sign = line.get(at..)?;
    // `name: Type = value` in Rust, `name == other`, `path::name`.
    let value = match sign.strip_prefix(": &str =").or_else(|| sign.strip_prefix(": &'static str =")) {
        Some(value) => value,
        None => sign.get(1..)?,
    };
    let name = line.get(..at)?.trim_end().trim_end_matches(['"', '\'']);
    let start = name.rfind(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    let name = name.get(start.map_or(0, |start| start + 1)..)?;
    let value = value.trim().trim_end_matches([';', ',', '}', ')']).trim();
    Some((snake(name), value.trim_matches(['"', '\''])))
}

fn snake(name: &str) -> String {
    let mut words = String::new();
    let mut small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && small {
            words.push('_');
        }
        small = letter.is_ascii_lowercase();
        words.push(if letter == '-' { '_' } else { letter.to_ascii_lowercase() });
    }
    words
}

/// A value that stands for itself: neither empty, nor a reference, nor a place to fill in.
fn literal(value: &str) -> bool {
    value.len() >= 8 && !value.starts_with(['$', '<', '/', '{', '[', '%']) && !value.contains(['…', ' ', '('])
}

/// Long, of one piece, and of letters that do not repeat as words do.
fn looks_random(value: &str) -> bool {
    let one_piece = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.len() >= 20 && one_piece && digits * 10 >= value.len() && entropy(value) >= 3.3
}

/// Bits per letter.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    value.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}
