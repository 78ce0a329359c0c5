//! Transparency: each call gives the same answer from one engine and through a Flotilla before that engine, or before
//! several of its release.
//!
//! The table is one script that both sides run, each with names of its own, in every API version that the engine has.

mod compare;
mod containers;
mod others;
mod row;
mod swarm;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use row::Row;

use crate::schemas::Schemas;
use crate::support::flotilla::Flotilla;
use crate::support::http::{Answer, call_with};
use crate::support::lab::{Lab, Release, Spec, skip};

#[test]
fn engine_20_10_answers_the_same_through_flotilla() {
    compare_all(&[Release::V20], &[None, Some(24), Some(41)]);
}

#[test]
fn engine_28_5_answers_the_same_through_flotilla() {
    compare_all(&[Release::V28], &[None, Some(24), Some(41), Some(51)]);
}

#[test]
fn three_engines_of_20_10_answer_as_one_through_flotilla() {
    compare_all(&[Release::V20; 3], &[Some(41)]);
}

#[test]
fn three_engines_of_28_5_answer_as_one_through_flotilla() {
    compare_all(&[Release::V28; 3], &[Some(24), Some(51)]);
}

/// Endpoints that answer without swarm mode here, and what would change the engine for the rows after it.
const NOT_OF_ONE_ENGINE: &[(&str, &str)] = &[
    ("GET", "/nodes"),
    ("GET", "/nodes/{}"),
    ("POST", "/nodes/{}/update"),
    ("DELETE", "/nodes/{}"),
    ("GET", "/tasks"),
    ("GET", "/tasks/{}"),
    ("POST", "/swarm/init"),
    // Cluster volumes came with API 1.42 and are asked of a manager alone.
    ("PUT", "/volumes/{}"),
];

#[test]
fn every_endpoint_that_is_served_has_a_row() {
    let tested: BTreeSet<_> = rows()
        .filter_map(|row| {
            let path = row.path.split('?').next().unwrap();
            Some((row.method, flotilla::api::endpoint_of(row.method, path)?))
        })
        .collect();
    let untested: Vec<_> = flotilla::api::endpoints()
        .filter(|endpoint| !tested.contains(endpoint))
        .filter(|(_, path)| *path != "/images/{}/attestations")
        .filter(|endpoint| !NOT_OF_ONE_ENGINE.contains(endpoint))
        .collect();
    assert!(untested.is_empty(), "without a row: {untested:?}");
    assert!(rows().count() >= 80);
}

/// Returns the whole table.
fn rows() -> impl Iterator<Item = &'static Row> {
    others::ROWS
        .iter()
        .chain(swarm::ROWS)
        .chain(containers::ROWS)
        .chain(others::LAST)
}

/// Runs the table in these API versions, directly against the first of these engines and through Flotilla before all.
fn compare_all(releases: &[Release], versions: &[Option<u16>]) {
    let lab = Lab::start(&Spec::of(releases)).unwrap();
    if let Some(skipped) = lab.skipped() {
        skip(skipped);
        return;
    }
    let flotilla = Flotilla::before(&lab);
    let engine = lab.engines()[0].address();
    let mut differences = Vec::new();
    for version in versions {
        let mut direct = Side::new(&engine, 'd', *version);
        let mut through = Side::new(flotilla.addr(), 'f', *version);
        // What is said of answers is said of these two versions.
        let schemas = version.filter(|minor| [41, 51].contains(minor));
        let schemas = schemas.map(Schemas::of);
        let api = version.unwrap_or(match releases[0] {
            Release::V20 => 41,
            Release::V28 => 51,
        });
        for row in rows().filter(|row| row.since <= api) {
            let (direct, through) = (direct.run(row), through.run(row));
            for (side, answer) in [("engine", &direct), ("flotilla", &through)] {
                let check = |s: &Schemas| s.check(row.method, row.path, answer).err();
                if let Some(why) = schemas.as_ref().and_then(check) {
                    let text = answer.text();
                    let (method, path) = (row.method, row.path);
                    differences.push(format!("{method} {path}: form of {side}: {why}: {text}"));
                }
            }
            let compared = match row.modern && releases[0] == Release::V20 {
                true => compare::own(row, &through),
                false => compare::compare(row, releases.len(), &direct, &through),
            };
            if let Err(what) = compared {
                let version = version.map_or("unversioned".into(), |v| format!("1.{v}"));
                differences.push(format!("{} {} ({version}): {what}", row.method, row.path));
            }
        }
    }
    let count = differences.len();
    assert!(
        differences.is_empty(),
        "{count}:\n{}",
        differences.join("\n")
    );
}

/// One of the two ways to the engine, and the names of the objects made over it.
struct Side {
    addr: String,
    prefix: String,
    version: String,
    exec: String,
    began: f64,
}

impl Side {
    /// Makes the side of this letter.
    fn new(addr: &str, letter: char, version: Option<u16>) -> Self {
        Self {
            addr: addr.to_owned(),
            prefix: format!("{letter}{:02}", version.unwrap_or_default()),
            version: version.map_or(String::new(), |minor| format!("/v1.{minor}")),
            exec: String::new(),
            began: seconds(),
        }
    }

    /// Makes the row's call.
    fn run(&mut self, row: &Row) -> Answer {
        let path = format!("{}{}", self.version, row.path);
        let path = path
            .replace('@', &self.prefix)
            .replace("{exec}", &self.exec)
            .replace("{began}", &format!("{:.6}", self.began))
            .replace("{now}", &format!("{:.6}", seconds()));
        let body = match std::str::from_utf8(row.body) {
            Ok(text) => text.replace('@', &self.prefix).into_bytes(),
            Err(_) => row.body.to_vec(),
        };
        let answer = call_with(&self.addr, row.method, &path, row.headers, &body);
        if row.keep {
            self.exec = answer.json()["Id"].as_str().unwrap_or_default().to_owned();
        }
        answer
    }
}

/// Returns the time as engines count it.
fn seconds() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs_f64()
}
