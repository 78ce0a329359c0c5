//! What a classic build starts from: its Dockerfile, looked for at the beginning of its context.
//!
//! Nothing is kept beyond the look: what was read goes on to the engine first, as it came. A context in which the
//! Dockerfile comes late, or that is compressed otherwise than by gzip, is not looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::begun::{Begun, LOOK};
use crate::api::call::Call;
use crate::net::body::{self, Body};

/// How long the beginning of a context may take to come; engines have no hurry either.
const PATIENCE: Duration = Duration::from_secs(10);
/// The size of a header in an archive, and of the blocks that contents are filled up to.
const BLOCK: usize = 512;
/// The most images that are looked for.
const MOST: usize = 16;

/// Returns the images that the Dockerfile of a classic build starts from and copies from, as far as they can be known.
pub(super) async fn of(call: &mut Call) -> Vec<String> {
    let query = &call.query;
    let elsewhere = ["remote", "platform"]
        .iter()
        .any(|key| !query.text(key).is_empty());
    // BuildKit asks its client for the Dockerfile; who wants to pull means what a registry has.
    if elsewhere || query.text("version") == "2" || query.flag("pull") {
        return Vec::new();
    }
    let name = match query.text("dockerfile") {
        "" => "Dockerfile",
        name => name.trim_start_matches("./"),
    };
    let name = name.to_owned();
    let args = serde_json::from_str(query.text("buildargs")).unwrap_or_default();
    let context = std::mem::replace(&mut call.body, body::empty());
    let (dockerfile, context) = look_for(&name, context).await;
    call.body = context;
    dockerfile.map_or_else(Vec::new, |text| images(&text, args))
}

/// Reads a context until a file of it is there, and returns its text with the context as it was.
async fn look_for(name: &str, mut context: Body) -> (Option<String>, Body) {
    let (mut begun, mut at) = (Begun::default(), 0);
    let until = Instant::now() + PATIENCE;
    loop {
        let found = match look(begun.archive(), &mut at, name) {
            Look::Found(text) => Some(String::from_utf8_lossy(text).into_owned()),
            Look::Nothing => None,
            Look::More if begun.is_spent() => None,
            Look::More => match tokio::time::timeout_at(until, context.frame()).await {
                Ok(Some(Ok(frame))) => {
                    begun.take(&frame.into_data().unwrap_or_default());
                    continue;
                }
                Ok(Some(Err(error))) => {
                    let broken = stream::iter([Ok(begun.read()), Err(error)]);
                    return (None, body::stream(broken));
                }
                Ok(None) => return (None, body::full(begun.read())),
                Err(_) => None,
            },
        };
        let read = stream::iter([Ok(begun.read())]);
        return (found, body::stream(read.chain(context.into_data_stream())));
    }
}

/// What a look into the beginning of an archive shows.
#[derive(Debug, PartialEq, Eq)]
enum Look<'a> {
    /// The file.
    Found(&'a [u8]),
    /// No file that will be seen.
    Nothing,
    /// It may come yet.
    More,
}

/// Looks for a file in what there is of an archive; `at` is where the first entry begins that was not looked at.
fn look<'a>(archive: &'a [u8], at: &mut usize, name: &str) -> Look<'a> {
    loop {
        if *at + BLOCK > LOOK {
            return Look::Nothing;
        }
        let Some(header) = archive.get(*at..*at + BLOCK) else {
            return Look::More;
        };
        let Some(size) = size(header) else {
            return Look::Nothing;
        };
        let content = *at + BLOCK..*at + BLOCK + size;
        if is_file(header) && path(header).trim_start_matches("./") == name {
            return match archive.get(content.clone()) {
                Some(text) => Look::Found(text),
                None if content.end > LOOK => Look::Nothing,
                None => Look::More,
            };
        }
        *at = content.end.next_multiple_of(BLOCK);
    }
}

/// Returns the size of an entry; `None` when this is no header, as at the end of an archive.
fn size(header: &[u8]) -> Option<usize> {
    if &header[257..262] != b"ustar" {
        return None;
    }
    let digits = std::str::from_utf8(&header[124..136]).ok()?;
    let size = usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok()?;
    Some(size.min(usize::MAX / 4))
}

/// Tells whether an entry is a plain file.
fn is_file(header: &[u8]) -> bool {
    matches!(header[156], b'0' | 0)
}

/// Returns the path of an entry.
fn path(header: &[u8]) -> String {
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    };
    // The older form of GNU has other things in the place of a prefix.
    let prefix = match header[262] {
        0 => text(&header[345..500]),
        _ => String::new(),
    };
    match (prefix.as_str(), text(&header[..100])) {
        ("", name) => name,
        (prefix, name) => format!("{prefix}/{name}"),
    }
}

/// Returns the images that a Dockerfile names; `args` are the arguments of the build.
fn images(dockerfile: &str, args: BTreeMap<String, Option<String>>) -> Vec<String> {
    let given: BTreeMap<_, _> = args
        .into_iter()
        .filter_map(|(k, v)| Some((k, v?)))
        .collect();
    let (mut known, mut stages) = (BTreeMap::new(), BTreeSet::new());
    let mut images = Vec::new();
    for line in instructions(dockerfile) {
        let mut words = line.split_whitespace();
        let instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        let (options, words): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with("--"));
        match (instruction.as_str(), words.as_slice()) {
            // Only those before the first stage count outside of stages.
            ("ARG", declared) if stages.is_empty() && images.is_empty() => {
                for word in declared {
                    let (name, default) = word.split_once('=').unwrap_or((*word, ""));
                    let default = default.trim_matches('"').to_owned();
                    let value = given.get(name).cloned().unwrap_or(default);
                    known.insert(name.to_owned(), value);
                }
            }
            ("FROM", [image, rest @ ..]) => {
                let image = expanded(image, &known);
                images.extend(image.filter(|i| !stages.contains(&i.to_ascii_lowercase())));
                // Also without a name it is a stage.
                stages.insert(String::new());
                if let [word, stage] = rest
                    && word.eq_ignore_ascii_case("as")
                {
                    stages.insert(stage.to_ascii_lowercase());
                }
            }
            ("COPY", _) => {
                let from = options.iter().filter_map(|o| o.strip_prefix("--from="));
                let from = from.map(str::to_owned);
                images.extend(from.filter(|from| {
                    let number = from.bytes().all(|b| b.is_ascii_digit());
                    !number && !stages.contains(&from.to_ascii_lowercase())
                }));
            }
            _ => {}
        }
    }
    let mut seen = BTreeSet::from(["scratch".to_owned(), String::new()]);
    images.retain(|image| seen.insert(image.clone()));
    images.truncate(MOST);
    images
}

/// Walks the instructions of a Dockerfile, each as one line.
fn instructions(dockerfile: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut line = String::new();
    for part in dockerfile.lines().map(str::trim) {
        if part.starts_with('#') || part.is_empty() {
            continue;
        }
        match part.strip_suffix('\\') {
            Some(part) => line.extend([part, " "]),
            None => {
                line.push_str(part);
                all.push(std::mem::take(&mut line));
            }
        }
    }
    all.push(line);
    all
}

/// Puts the values of arguments into a text; `None` when one is not known, or is used in a way that is not.
fn expanded(text: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        let (name, after) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
                after.split_at(end)
            }
        };
        whole.push_str(before);
        whole.push_str(known.get(name)?);
        rest = after;
    }
    whole.push_str(rest);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;

    use super::*;

    /// Writes an archive of these files.
    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, text) in files {
            let mut header = [0; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            let size = format!("{:011o}", text.len());
            header[124..135].copy_from_slice(size.as_bytes());
            header[156] = b'0';
            header[257..262].copy_from_slice(b"ustar");
            archive.extend(header);
            archive.extend(text.as_bytes());
            archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        }
        archive.resize(archive.len() + 2 * BLOCK, 0);
        archive
    }

    #[test]
    fn a_dockerfile_is_found_as_soon_as_it_is_there_and_not_too_late() {
        let whole = archive(&[("a", &"x".repeat(700)), ("./Dockerfile", "FROM a\n")]);
        let found = |end: usize, name: &str| {
            let mut at = 0;
            match look(&whole[..end], &mut at, name) {
                Look::Found(text) => Some(String::from_utf8_lossy(text).into_owned()),
                Look::Nothing => None,
                Look::More => Some("more".to_owned()),
            }
        };
        let dockerfile = BLOCK * 4 + 7;
        assert_eq!(found(0, "Dockerfile").as_deref(), Some("more"));
        assert_eq!(found(dockerfile - 1, "Dockerfile").as_deref(), Some("more"));
        assert_eq!(found(dockerfile, "Dockerfile").as_deref(), Some("FROM a\n"));
        assert_eq!(found(whole.len(), "other"), None);
        let mut at = 0;
        assert_eq!(look(&[b'x'; BLOCK], &mut at, "Dockerfile"), Look::Nothing);
        let late = archive(&[("big", &"x".repeat(LOOK)), ("Dockerfile", "FROM a\n")]);
        assert_eq!(look(&late[..BLOCK], &mut at, "Dockerfile"), Look::Nothing);
    }

    #[tokio::test]
    async fn a_context_goes_on_as_it_came() {
        let whole = archive(&[("Dockerfile", "FROM a\n"), ("b", &"y".repeat(3000))]);
        for (size, name, expected) in [
            (100, "Dockerfile", Some("FROM a\n")),
            (4000, "Dockerfile", Some("FROM a\n")),
            (100, "none", None),
            (4000, "none", None),
        ] {
            let chunks: Vec<_> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
            let context = body::stream(stream::iter(chunks.into_iter().map(Ok)));
            let (found, context) = look_for(name, context).await;
            assert_eq!(found.as_deref(), expected);
            assert_eq!(body::read(context, 1 << 20).await.unwrap(), whole);
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&whole).unwrap();
        let gzip = gzip.finish().unwrap();
        for (size, name, expected) in [(7, "Dockerfile", Some("FROM a\n")), (7, "none", None)] {
            let chunks: Vec<_> = gzip.chunks(size).map(Bytes::copy_from_slice).collect();
            let context = body::stream(stream::iter(chunks.into_iter().map(Ok)));
            let (found, context) = look_for(name, context).await;
            assert_eq!(found.as_deref(), expected);
            assert_eq!(body::read(context, 1 << 20).await.unwrap(), gzip);
        }
        let cut = stream::iter([Ok("x".into()), Err("cut".into())]);
        let (found, context) = look_for("Dockerfile", body::stream(cut)).await;
        assert_eq!(found, None);
        assert!(body::read(context, 1 << 20).await.is_err());
    }

    #[test]
    fn a_dockerfile_names_images_and_stages() {
        let args = [("B".to_owned(), Some("given".to_owned()))];
        for (dockerfile, expected) in [
            ("FROM a\nRUN x\n", vec!["a"]),
            (
                "# FROM x\n\nfrom --platform=linux/amd64 a:1 as one\nFROM one\nFROM ONE",
                vec!["a:1"],
            ),
            (
                "FROM scratch\nCOPY --from=b /x /x\nCOPY --from=0 /x /y\n",
                vec!["b"],
            ),
            (
                "FROM a AS One\nFROM b\nCOPY --chown=1 --from=one \\\n # why\n /x /y",
                vec!["a", "b"],
            ),
            (
                "ARG A=x\nARG B=y\nFROM r/$A:${B}-z\nARG A=2\nFROM a:$A",
                vec!["r/x:given-z", "a:x"],
            ),
            ("FROM $NONE\nFROM ${A:-b}\nFROM a", vec!["a"]),
            ("FROM a\nFROM a", vec!["a"]),
            ("", vec![]),
        ] {
            assert_eq!(
                images(dockerfile, args.clone().into()),
                expected,
                "{dockerfile}"
            );
        }
    }
}
