//! What templates cost: bursts of texts that are rendered, beside bursts of texts that are constant.

use super::burst::{Run, Settings, measure};
use super::harness::{median, option};
use super::number;

pub(crate) fn compare(arguments: &[String]) {
    let settings = Settings {
        jobs: option(arguments, "--jobs").map_or(10_000, |text| number(&text)),
        runs: option(arguments, "--runs").map_or(7, |text| number(&text)),
        programs: Vec::new(),
    };
    println!("{} jobs due at one second, one push each; {} runs in alternation", settings.jobs, settings.runs);
    let (mut constant, mut rendered) = (Vec::new(), Vec::new());
    for run in 1..=settings.runs {
        // Who goes first takes turns, as the machine's other work does not.
        let order = if run % 2 == 0 { ["rendered", "constant"] } else { ["constant", "rendered"] };
        for name in order {
            let result = measure(name, &settings);
            eprintln!("run {run}, {name}: {result}");
            if name == "constant" { &mut constant } else { &mut rendered }.push(result);
        }
    }
    let of = |runs: &[Run], what: fn(&Run) -> f64| median(runs.iter().map(what));
    let base = [of(&constant, |run| run.last).0, of(&constant, |run| run.durable).0];
    println!(
        "\n| texts | lost | doubled | last push, ms (min–max) | to constant | last durable, ms | to constant | peak MB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, runs) in [("constant", &constant), ("rendered", &rendered)] {
        let ((last, least, most), (durable, ..)) = (of(runs, |run| run.last), of(runs, |run| run.durable));
        let (lost, doubled): (i64, u64) = runs.iter().fold((0, 0), |(l, d), run| (l.max(run.lost), d + run.doubles));
        let (peak, ..) = of(runs, |run| run.peak_mb);
        println!(
            "| {name} | {lost} | {doubled} | {last:.0} ({least:.0}–{most:.0}) | {:.2} | {durable:.0} | {:.2} | {peak:.0} |",
            last / base[0],
            durable / base[1],
        );
    }
}
