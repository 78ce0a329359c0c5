//! The page of differences is what the table of routes says.

use std::{env, fs, path::Path};

#[test]
fn the_page_of_differences_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let generated = flotilla::api::differences();
    if env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &generated).unwrap();
    }
    let written = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        written == generated,
        "docs/differences.md is stale; write it anew with UPDATE_DOCS=1 cargo test differences"
    );
}
