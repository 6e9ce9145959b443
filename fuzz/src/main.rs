//! One target under libFuzzer; `kit/fuzz` builds and runs it.
//!
//! `FUZZ_TARGET` names the target. With `FUZZ_SEEDS` its seeds are written into that folder first.
#![cfg_attr(feature = "libfuzzer", no_main)]

#[cfg(feature = "libfuzzer")]
mod guided {
    use std::sync::LazyLock;

    #[expect(clippy::disallowed_methods, clippy::expect_used, reason = "libFuzzer has the arguments")]
    static TARGET: LazyLock<fuzz::Target> = LazyLock::new(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        fuzz::target(&name).expect("there is such a target")
    });

    libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
        (TARGET.run)(bytes);
    });
}

/// Without coverage: writes the seeds of every target into a folder each, below the folder named first.
#[cfg(not(feature = "libfuzzer"))]
fn main() -> std::io::Result<()> {
    let root = std::env::args().nth(1).ok_or_else(|| std::io::Error::other("which folder are the seeds to go to?"))?;
    for target in fuzz::TARGETS {
        let folder = std::path::Path::new(&root).join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        println!("{}", target.name);
    }
    Ok(())
}
