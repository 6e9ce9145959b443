//! Members of tar archives, one after the other. What stands before a member (long names, extended headers) is read into
//! memory by the library, whatever its length: here it is bounded, and may not name the member twice.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use model::{Code, Refusal};

/// What stands before a member's bytes, at most.
const HEAD: u64 = 1 << 20;

/// A source of which only so much may be read.
pub(crate) struct Metered<R> {
    source: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(odd(format!("more than {HEAD} bytes stand before a member")));
        }
        let most = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.source.read(into.get_mut(..most).unwrap_or_default())?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// Shows each member to `visit`, which must refuse what is neither a file nor a folder. Returns the source, where the
/// archive has ended.
pub(crate) fn each<R: Read>(
    source: R,
    mut visit: impl FnMut(&mut tar::Entry<'_, Metered<R>>) -> Result<(), Refusal>,
) -> Result<R, Refusal> {
    let left = Rc::new(Cell::new(HEAD));
    let mut archive = tar::Archive::new(Metered { source, left: Rc::clone(&left) });
    let mut members = archive.entries().map_err(broken)?;
    loop {
        left.set(HEAD);
        let Some(member) = members.next() else { break };
        let mut member = member.map_err(broken)?;
        left.set(u64::MAX);
        one_name(&mut member).map_err(broken)?;
        visit(&mut member)?;
        // What is left of it would count as the head of the next one.
        io::copy(&mut member, &mut io::sink()).map_err(broken)?;
    }
    Ok(archive.into_inner().source)
}

/// Of several names, and of a name and a size that are given twice, each reader believes another one.
fn one_name(member: &mut tar::Entry<'_, impl Read>) -> io::Result<()> {
    let (name, size) = (member.path_bytes().into_owned(), member.header().entry_size()?);
    let link = member.link_name_bytes().map(|link| link.into_owned());
    // Readers that know no other header than the new one put this in front of the name.
    let prefixed = member.header().as_ustar().is_none() && member.header().as_bytes().get(345) != Some(&0);
    if prefixed {
        return Err(two_names(&name));
    }
    for extension in member.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let same = match extension.key_bytes() {
            b"path" => extension.value_bytes() == name,
            b"size" => extension.value().ok().and_then(|value| value.parse().ok()) == Some(size),
            b"linkpath" => Some(extension.value_bytes()) == link.as_deref(),
            // These give a member another name and another size, to those who know them.
            key => !key.starts_with(b"GNU.sparse."),
        };
        if !same {
            return Err(two_names(&name));
        }
    }
    Ok(())
}

fn two_names(name: &[u8]) -> io::Error {
    odd(format!("{} has two names or sizes", String::from_utf8_lossy(name).escape_debug()))
}

fn odd(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What follows the end of the archive must be nothing: some readers go on after one empty block.
pub(crate) fn expect_zeros(rest: &mut impl Read) -> Result<(), Refusal> {
    let mut block = [0; 8192];
    loop {
        let count = rest.read(&mut block).map_err(broken)?;
        let read = block.get(..count).unwrap_or_default();
        if read.iter().any(|byte| *byte != 0) {
            return Err(contradiction("the archive goes on after its end"));
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// The archive is not as such archives are.
pub(crate) fn broken(error: io::Error) -> Refusal {
    contradiction(format!("the archive cannot be read: {error}"))
}

/// The package contradicts itself or what is said of it.
pub(crate) fn contradiction(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::Unprocessable, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(archive: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, name: &str, content: &[u8]) {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path(name).expect("a path");
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append(&header, content).expect("added");
    }

    fn read(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Result<Vec<String>, String> {
        let mut archive = tar::Builder::new(Vec::new());
        fill(&mut archive);
        append(&mut archive, tar::EntryType::Regular, "a/file", &[b'x'; 700]);
        append(&mut archive, tar::EntryType::Regular, "a/last", b"");
        let bytes = archive.into_inner().expect("ended");
        let mut names = Vec::new();
        let read = each(bytes.as_slice(), |member| {
            names.push(String::from_utf8_lossy(&member.path_bytes()).into_owned());
            Ok(())
        });
        read.map(|_| names).map_err(|refusal| refusal.detail)
    }

    fn pax(records: &[(&str, &str)]) -> Vec<u8> {
        let record = |(key, value): &(&str, &str)| {
            let rest = format!(" {key}={value}\n");
            let length =
                (1..9).map(|digits| rest.len() + digits).find(|all| all.to_string().len() + rest.len() == *all);
            format!("{}{rest}", length.expect("a length"))
        };
        records.iter().map(record).collect::<String>().into_bytes()
    }

    #[test]
    fn members_come_whole_and_in_order() {
        use tar::EntryType as T;
        let long = format!("a/{}", "x".repeat(300));
        let named = read(|archive| append(archive, T::GNULongName, "././@LongLink", long.as_bytes()));
        assert_eq!(named.as_deref(), Ok(&[long.clone(), "a/last".to_owned()][..]));
        let named = read(|archive| append(archive, T::XHeader, "x", &pax(&[("path", "a/new"), ("size", "700")])));
        assert_eq!(named.as_deref(), Ok(&["a/new".to_owned(), "a/last".to_owned()][..]));
    }

    #[test]
    fn what_stands_before_a_member_is_bounded() {
        for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader] {
            let why = read(|archive| append(archive, kind, "x", &vec![0; 2 << 20])).expect_err("too long");
            assert!(why.contains("stand before a member"), "{why}");
        }
    }

    #[test]
    fn a_member_has_one_name_and_one_size() {
        use tar::EntryType as T;
        for records in [
            &[("path", "a/one"), ("path", "a/two")][..],
            &[("size", "700"), ("size", "10")],
            &[("size", "10"), ("size", "700")],
        ] {
            read(|archive| append(archive, T::XHeader, "x", &pax(records))).expect_err("two of them");
        }
        for records in [&[("GNU.sparse.name", "a/other")][..], &[("linkpath", "a/one"), ("linkpath", "../two")]] {
            read(|archive| append(archive, T::XHeader, "x", &pax(records))).expect_err("another name");
        }
        let prefixed = read(|archive| {
            let mut header = tar::Header::new_gnu();
            header.set_path("a/file").expect("a path");
            header.as_mut_bytes()[345..350].copy_from_slice(b"../up");
            header.set_size(0);
            header.set_cksum();
            archive.append(&header, &b""[..]).expect("added");
        });
        assert!(prefixed.expect_err("two names").contains("two names"));
        // What one reader takes for a harmless file is the package's description for another one.
        let twice = read(|archive| {
            append(archive, T::GNULongName, "././@LongLink", b"a/README");
            append(archive, T::XHeader, "x", &pax(&[("path", "a/package.json")]));
        });
        assert!(twice.expect_err("two names").contains("two names"));
    }
}
