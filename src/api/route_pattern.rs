//! Route patterns: literal segments, and `{}` that takes any text, slashes included, as engines' own routes do.

/// Matches a decoded path against a pattern and returns what stands for its variables, joined by a newline when there
/// are two.
///
/// The first variable is greedy; names with slashes (`registry:5000/a/b`) are therefore whole.
pub(super) fn matches<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut parts = pattern.split("{}");
    let first = parts.next()?;
    let rest = path.strip_prefix(first)?;
    let parts: Vec<&str> = parts.collect();
    match parts.as_slice() {
        [] => rest.is_empty().then(Vec::new),
        [tail] => {
            let value = rest.strip_suffix(tail)?;
            (!value.is_empty()).then(|| vec![value])
        }
        [middle, tail] => {
            let rest = rest.strip_suffix(tail)?;
            let at = rest.rfind(middle)?;
            let (a, b) = (&rest[..at], &rest[at + middle.len()..]);
            (!a.is_empty() && !b.is_empty()).then(|| vec![a, b])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_take_slashes() {
        let one = |p: &str, path: &str| matches(p, path).map(|v| v.join("|"));
        assert_eq!(one("/info", "/info").as_deref(), Some(""));
        assert_eq!(one("/info", "/info/x"), None);
        assert_eq!(
            one("/images/{}/json", "/images/reg:5000/a/b/json").as_deref(),
            Some("reg:5000/a/b")
        );
        assert_eq!(one("/containers/{}/json", "/containers/json"), None);
        assert_eq!(
            one("/containers/{}", "/containers/node0/web").as_deref(),
            Some("node0/web")
        );
        assert_eq!(
            one(
                "/containers/{}/checkpoints/{}",
                "/containers/web/checkpoints/c1"
            )
            .as_deref(),
            Some("web|c1")
        );
        assert_eq!(one("/containers/{}", "/containers/"), None);
    }
}
