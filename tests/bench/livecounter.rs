//! `make bench`: livecounter side by side with its peers, in one table.
//!
//! - `knobs`, `rows`, `cells`: what can be set; the table's lines; the single measurements they are made of.
//! - `fanout`, `feeds`, `storm`, `scale`: the measurements with listeners. `start`: without any load. `badge`: without any server. `wrk`, `redis_benchmark`,
//!   `paced`: the loads.
//! - `peers`, `process`: the servers. `listeners`: the other end of their streams.
//! - `table`, `machine`, `usage`: the result, where it was measured, what a process uses.
//! - `http`, `wire`: a small HTTP client.
//!
//! This executable also starts itself: as the bare handler, as the listeners, as the paced load.

#![allow(clippy::print_stdout)]

mod badge;
mod cells;
mod fanout;
mod feeds;
mod http;
mod knobs;
mod listeners;
mod machine;
mod paced;
mod pages;
mod peers;
mod process;
mod redis_benchmark;
mod rows;
mod scale;
mod start;
mod storm;
mod table;
mod usage;
mod wire;
mod wrk;

use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cells::{CELLS, Figures};
use crate::knobs::{Knobs, USAGE};
use crate::rows::Row;
use crate::table::Samples;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut knobs = Knobs::from_environment()?;
    let (mut asked, mut markdown) = (false, false);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            // Of this executable started by itself.
            "--peer" => return peers::bare::serve(value()?.parse()?).map(|()| ExitCode::SUCCESS),
            "--listeners" => return listeners::client::main(&value()?).map(|()| ExitCode::SUCCESS),
            "--paced" => return paced::main(&value()?).map(|()| ExitCode::SUCCESS),
            // `cargo bench` says so; `cargo test --all-targets` does not, and means no measurement.
            "--bench" => asked = true,
            "--markdown" => markdown = true,
            "--help" => {
                print!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            "--list" => {
                rows::rows().iter().for_each(|row| println!("{}", row.name));
                return Ok(ExitCode::SUCCESS);
            }
            word if !word.starts_with('-') => knobs.want(word),
            other => bail!("{other} is unknown; --help tells what is not"),
        }
    }
    if !asked {
        println!("measured only by: cargo bench --bench livecounter");
        return Ok(ExitCode::SUCCESS);
    }
    measure(&knobs, markdown)
}

fn measure(knobs: &Knobs, markdown: bool) -> Result<ExitCode> {
    let rows: Vec<Row> = rows::rows().into_iter().filter(|row| knobs.wants(row.name)).collect();
    let cells: BTreeSet<&str> = rows.iter().flat_map(Row::cells).collect();
    if rows.is_empty() {
        bail!("no row has such a name; --list names them");
    }
    let (start, machine) = (Instant::now(), machine::describe(knobs));
    let mut samples = Samples::default();
    for round in 1..=knobs.rounds {
        for cell in CELLS.iter().filter(|cell| cells.contains(cell.name)) {
            if samples.has_failed(cell.name) {
                continue;
            }
            eprint!("round {round}/{}: {} ", knobs.rounds, cell.name);
            match (cell.run)(knobs) {
                Ok(figures) => {
                    eprintln!("{}", brief(&figures));
                    samples.add(cell.name, figures);
                }
                Err(error) => {
                    eprintln!("failed: {error:#}");
                    samples.fail(cell.name, format!("{error:#}"));
                }
            }
        }
    }

    println!("{machine}measured in {} s\n", start.elapsed().as_secs());
    println!("{}", table::render(&rows, &samples, markdown));
    samples.notes().iter().for_each(|note| println!("{note}"));
    Ok(if samples.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn brief(figures: &Figures) -> String {
    let figures: Vec<String> = figures.iter().map(|(name, figure)| format!("{name} {figure:.2}")).collect();
    figures.join(", ")
}
