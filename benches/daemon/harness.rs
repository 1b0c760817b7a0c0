//! What every scenario needs: a sink, a daemon with its files, and what the system says of a process.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The value that follows an option.
pub(crate) fn option(arguments: &[String], name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

/// The middle value, the least and the most.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

/// A receiver in a process of its own.
pub(crate) struct Sink {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub url: String,
}

impl Sink {
    pub(crate) fn start() -> Sink {
        let mut child = ourselves().arg("sink").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        Sink { child, input, output, url: format!("http://127.0.0.1:{}/", port.trim()) }
    }

    /// One question, one line of answer (see [`super::sink::serve`]).
    pub(crate) fn ask(&mut self, question: &str) -> String {
        writeln!(self.input, "{question}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program, to be started once more for another purpose.
pub(crate) fn ourselves() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// What a definition file begins with: the database beside it, and the sink as the one account.
pub(crate) fn head(url: &str, dir: &Path) -> String {
    format!(
        "daemon: {{database: {}, timezone: UTC}}\n\
         accounts:\n  - {{id: sink, im: hook, sender: webhook, url: \"{url}\", default: true}}\njobs:\n",
        dir.join("pushcron.db").display()
    )
}

/// The daemon over `jobs.yaml` in a directory.
pub(crate) fn daemon(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushcron"));
    command.arg("-c").arg(dir.join("jobs.yaml")).arg("run");
    command
}

fn status(pid: u32, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()).map_or(f64::NAN, |kb| kb / 1024.0)
}

/// The largest the process ever was, as long as it lives.
pub(crate) fn peak_mb(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

/// How large the process is now.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// Processor time that the process has used so far, to the tick of 10 ms.
pub(crate) fn cpu_ms(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(11..13).map_or(f64::NAN, |ticks| {
        ticks.iter().map(|ticks| ticks.parse::<f64>().unwrap_or(f64::NAN)).sum::<f64>() * 10.0
    })
}
