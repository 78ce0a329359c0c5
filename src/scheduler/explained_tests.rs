//! What is explained is what is done, over made-up clusters and requests.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tests::{GIB, node, put, view};
use super::*;
use crate::model::{Health, Image, Resources};

proptest! {
    #[test]
    fn what_is_explained_is_what_is_done(
        made in proptest::collection::vec((0i64..6, 0i64..6, 0usize..4, 0u32..2, any::<bool>(), any::<bool>(), any::<bool>()), 1..9),
        (cpus, gib, seed, wish, hard, classic) in (0i64..4, 0i64..4, any::<u64>(), any::<bool>(), any::<bool>(), any::<bool>()),
        strategy in prop::sample::select(vec!["spread", "binpack", "random", "spread:running", "binpack:running", "spread*2+locality"]),
    ) {
        let nodes: Vec<Node> = made.into_iter().enumerate().map(|(i, (c, m, more, failures, up, eu, holds))| {
            let mut n = node(&format!("n{i}"), 8, 8);
            let resources = Resources { nano_cpus: c * Resources::NANO_PER_CPU, memory_bytes: m * GIB };
            put(&mut n, &format!("c{i}"), resources);
            for extra in 0..more {
                put(&mut n, &format!("c{i}-{extra}"), Resources::default());
            }
            n.failures = failures;
            if !up { n.health = Health::New; }
            if eu { n.labels.insert("zone".into(), "eu".into()); }
            if holds {
                n.images = Arc::new(vec![Image { tags: vec!["app:latest".into()], ..Image::default() }]);
            }
            n
        }).collect();
        let mut request = Request {
            image: "app".into(),
            seed,
            resources: Resources { nano_cpus: cpus * Resources::NANO_PER_CPU, memory_bytes: gib * GIB },
            ..Request::default()
        };
        let text = if hard { "zone==eu" } else { "zone==~eu" };
        if wish { request.wishes.constraints = vec![Expr::parse(text).unwrap()]; }
        let manners = if classic { Manners::Classic } else { Manners::Engine };
        let scheduler = Scheduler::new(strategy, None, manners).unwrap();
        let view = view(&nodes);
        let mut told = scheduler.explain(&request, &view);
        let (placed, refused) = match scheduler.place(&request, &view) {
            Ok(placement) => (placement.candidates, placement.refused),
            Err(Refused::All(refused)) => (Vec::new(), refused),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let objected: Vec<_> = told.iter().filter_map(|v| Some((v.node.name.clone(), v.said.as_ref().err()?.refusal.clone()))).collect();
        let refused: Vec<_> = refused.into_iter().map(|(node, refusal)| (node.name.clone(), refusal)).collect();
        prop_assert_eq!(objected, refused);
        told.retain(|v| v.said.is_ok());
        let standing = |v: &Verdict| v.said.clone().unwrap();
        told.sort_by(|a, b| standing(b).compare(&standing(a)));
        let names = |nodes: &[Arc<Node>]| nodes.iter().map(|n| n.name.clone()).collect::<Vec<_>>();
        prop_assert_eq!(told.iter().map(|v| v.node.name.clone()).collect::<Vec<_>>(), names(&placed));
        // Of two neighbours the second is behind, and the part that is named as the reason differs.
        for pair in told.windows(2) {
            let (best, next) = (standing(&pair[0]), standing(&pair[1]));
            let behind = next.behind(&best, "best").unwrap();
            if behind.field == "score" && strategy != "random" {
                let better = next.parts.iter().zip(&best.parts).find(|(n, b)| n.value != b.value);
                let (next, best) = better.expect("a score that differs has a part that does");
                let more_is_worse = strategy.starts_with("spread") && next.name != "points";
                prop_assert_eq!(next.value > best.value, more_is_worse);
                prop_assert!(behind.text.starts_with(&next.to_string()));
            }
        }
        let fields: BTreeSet<_> = told.windows(2).filter_map(|p| Some(standing(&p[1]).behind(&standing(&p[0]), "b")?.field)).collect();
        prop_assert!(fields.iter().all(|f| ["health", "taint", "wishes", "score", "image", "order"].contains(f)));
    }
}
