//! The page that says what a client of one engine sees differently: generated from the table of routes.

use std::fmt::Write as _;

use super::route::ROUTES;

/// Writes `docs/differences.md`.
pub fn differences() -> String {
    let mut page = String::from(
        "# Differences from one engine\n\n\
         Generated from the table of routes (`src/api/route.rs`) by `UPDATE_DOCS=1 cargo test differences`; a test keeps it true.\n\
         Endpoints that are not listed under a heading but the last behave as on one engine: same status, same bytes.\n\n",
    );
    let (differs, same): (Vec<_>, Vec<_>) = ROUTES.iter().partition(|r| r.differs.is_some());
    page.push_str(
        "## Different\n\n| endpoint | since | served | what differs |\n|---|---|---|---|\n",
    );
    for route in differs {
        row(&mut page, route, route.differs.unwrap_or_default());
    }
    page.push_str("\n## Same\n\n| endpoint | since | served | |\n|---|---|---|---|\n");
    for route in same {
        row(&mut page, route, "");
    }
    page
}

fn row(page: &mut String, route: &super::route::Route, text: &str) {
    let path = route.path.replace("{}", "{…}");
    // Writing to a string does not fail.
    let _ = writeln!(
        page,
        "| {} {path} | 1.{} | {:?} | {text} |",
        route.method, route.since, route.class
    );
}
