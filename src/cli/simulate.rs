//! `flotilla simulate`: what strategies would make of a workload, on a cluster that is made up.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::prelude::{
    BLACK, Color, IntoDrawingArea, LineSeries, Palette, Palette99, PathElement, SVGBackend, WHITE,
};

use super::Error;
use crate::model::Manners;
use crate::scheduler::Scheduler;
use crate::scheduler::simulation::{Moment, Run, Workload};

/// The size of a plot, in points.
const SIZE: (u32, u32) = (900, 1_000);

/// Says that what has no time and no engines to look at is not asked.
const NO_PLUG_INS: &str = "plug-ins are asked by flotilla manage alone";

/// What is drawn of a moment.
type Figure = fn(&Moment) -> f64;

/// Flags of `flotilla simulate`.
#[derive(Args, Debug)]
#[command(
    after_help = "docs/simulate.md tells what a workload says.\n\nExample:\n  flotilla simulate examples/workloads/office-day.jsonl --strategy spread,binpack --svg out.svg"
)]
pub(super) struct Simulate {
    /// A file of one JSON object a line: nodes, and containers with the times at which they come and go
    #[arg(value_name = "WORKLOAD")]
    workload: PathBuf,
    /// So many nodes like the first of the workload, in place of its own
    #[arg(long, value_name = "COUNT")]
    nodes: Option<usize>,
    /// Strategies to compare, separated by commas, as `flotilla manage --strategy` takes them
    #[arg(
        long,
        value_name = "STRATEGY",
        value_delimiter = ',',
        default_value = "spread,binpack,random"
    )]
    strategy: Vec<String>,
    /// Draw how the cluster was over time into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Simulate {
    /// Replays the workload and prints what came of it.
    pub(super) fn run(self) -> Result<(), Error> {
        let named = |what: String| {
            let file = self.workload.display();
            Error::Named(format!("workload {file}: {what}"))
        };
        let text = std::fs::read_to_string(&self.workload).map_err(|e| named(e.to_string()))?;
        let mut workload = Workload::parse(&text).map_err(|e| named(e.to_string()))?;
        if let Some(count) = self.nodes {
            workload.resize(count);
        }
        let mut runs = Vec::new();
        for strategy in &self.strategy {
            let scheduler = Scheduler::new(strategy, None, Manners::Engine);
            let scheduler = scheduler.map_err(|e| Error::Named(e.to_string()))?;
            if !scheduler.plug_ins().is_empty() {
                return Err(Error::Named(format!("strategy {strategy}: {NO_PLUG_INS}")));
            }
            runs.push((strategy.as_str(), workload.replay(&scheduler)));
        }
        let mut out = std::io::stdout().lock();
        out.write_all(told(&runs).as_bytes())?;
        if let Some(file) = &self.svg {
            draw(&runs, file).map_err(|why| {
                let file = file.display();
                Error::Named(format!("cannot draw {file}: {why}"))
            })?;
        }
        Ok(out.flush()?)
    }
}

/// Writes a table with a row for each strategy, and why containers found no place.
fn told(runs: &[(&str, Run)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "STRATEGY",
        "PLACED",
        "REFUSED",
        "NODES IN USE",
        "AT MOST",
        "FILLED",
        "UNEVEN",
    ]);
    for (strategy, run) in runs {
        let mean = |of: fn(&Moment) -> f64| {
            let sum: f64 = run.moments.iter().map(of).sum();
            sum / run.moments.len().max(1) as f64
        };
        let most = run.moments.iter().map(|m| m.nodes).max().unwrap_or(0);
        table.add_row([
            (*strategy).to_owned(),
            run.placed.to_string(),
            run.refused.values().sum::<usize>().to_string(),
            format!("{:.1}", mean(|m| m.nodes as f64)),
            most.to_string(),
            format!("{:.1}%", mean(|m| m.filled)),
            format!("{:.1}%", mean(|m| m.uneven)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines = table.to_string();
    let lines = lines.lines().map(|line| line.trim().to_owned());
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push('\n');
    for (strategy, run) in runs {
        // What is said names amounts, so that there may be many.
        for (why, count) in run.refused.iter().take(5) {
            text.push_str(&format!("{strategy}: {count} refused: {why}\n"));
        }
    }
    text
}

/// Draws three plots over one another: nodes in use, how filled those are, how uneven all are.
fn draw(runs: &[(&str, Run)], file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let plots: [(&str, Figure); 3] = [
        ("nodes in use", |m| m.nodes as f64),
        ("filled: percent of the nodes in use", |m| m.filled),
        (
            "uneven: standard deviation over all nodes, in percent",
            |m| m.uneven,
        ),
    ];
    let end = runs.iter().flat_map(|(_, run)| &run.moments).map(|m| m.at);
    let end = end.max().unwrap_or(0).max(1) as f64 / 3600.0;
    for (area, (title, of)) in root.split_evenly((plots.len(), 1)).iter().zip(plots) {
        let values = runs.iter().flat_map(|(_, run)| run.moments.iter().map(of));
        let top = values.fold(1.0, f64::max) * 1.1;
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(34)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..end, 0.0..top)?;
        chart.configure_mesh().x_desc("hours").draw()?;
        for (number, (strategy, run)) in runs.iter().enumerate() {
            let style = Palette99::pick(number).stroke_width(2);
            let points = run.moments.iter().map(|m| (m.at as f64 / 3600.0, of(m)));
            let series = chart.draw_series(LineSeries::new(points, style))?;
            series
                .label(*strategy)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        let mut labels = chart.configure_series_labels();
        let labels = labels.position(SeriesLabelPosition::LowerRight);
        labels
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replays a workload that is shipped and compares what is printed with what is shipped beside it.
    fn replays(name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workloads");
        let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
        let workload = Workload::parse(&text).unwrap();
        let runs = ["spread", "binpack", "binpack*3+spread"].map(|strategy| {
            let scheduler = Scheduler::new(strategy, None, Manners::Engine).unwrap();
            (strategy, workload.replay(&scheduler))
        });
        let (told, file) = (told(&runs), folder.join(format!("{name}.txt")));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &told).unwrap();
        }
        assert_eq!(told, std::fs::read_to_string(file).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("out.svg");
        draw(&runs, &svg).unwrap();
        let drawn = std::fs::read_to_string(svg).unwrap();
        assert!(drawn.starts_with("<svg") && drawn.trim_end().ends_with("</svg>"));
        assert_eq!(
            drawn.matches("binpack*3+spread").count(),
            3,
            "a label in each plot"
        );
    }

    #[test]
    fn an_office_day_is_replayed_as_shipped() {
        replays("office-day");
    }

    #[test]
    fn a_night_of_batches_is_replayed_as_shipped() {
        replays("batch-night");
    }

    #[test]
    fn a_plug_in_is_refused_and_not_passed_over() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workloads");
        let simulate = Simulate {
            workload: folder.join("office-day.jsonl"),
            nodes: None,
            strategy: vec!["spread+http://127.0.0.1:1/x".to_owned()],
            svg: None,
        };
        let refused = simulate.run().unwrap_err().to_string();
        assert!(refused.ends_with(NO_PLUG_INS), "{refused}");
    }

    #[test]
    fn what_is_no_workload_is_refused_with_its_line() {
        for (text, told) in [
            ("# nothing\n{\"at\":0}", "line 2: neither nodes"),
            (
                "{\"node\":\"n\",\"cpus\":1,\"memory_mib\":1,\"x\":1}",
                "line 1: neither nodes",
            ),
            (
                "{\"at\":0,\"create\":\"a\",\"wishes\":[\"constraint:a\"]}",
                "line 1: constraint: invalid expression \"a\" at position 2",
            ),
        ] {
            let refused = Workload::parse(text).unwrap_err().to_string();
            assert!(refused.starts_with(told), "{refused}");
        }
    }
}
