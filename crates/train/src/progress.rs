//! The progress of an epoch: a bar while it runs, one line when it is over.
//!
//! The bar appears only when standard error is a terminal. Logs and pipes get the lines alone, a quiet run nothing.
//! Nothing is ever written to standard output, which belongs to the program.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar if standard error is a terminal, and a line per epoch.
    #[default]
    Auto,
    /// A line per epoch.
    Lines,
    /// Nothing.
    Quiet,
}

/// Shows how training proceeds.
///
/// ```
/// use pullback_train::{Progress, ProgressMode};
///
/// let mut progress = Progress::new(ProgressMode::Quiet);
/// for epoch in 1..=2 {
///     let mut running = progress.epoch(epoch, 2, 96);
///     for _batch in 0..3 {
///         running.advance(32, &[("loss", 0.5)]);
///     }
///     running.finish(&[("loss", 0.5), ("val_loss", 0.6)]);
/// }
/// ```
pub struct Progress {
    /// Where lines go; `None` for nowhere.
    lines: Option<Box<dyn Write + Send>>,
    /// Where a bar is drawn: made anew for each epoch.
    target: fn() -> ProgressDrawTarget,
}

impl Progress {
    /// Shows progress on standard error, as much as `mode` says.
    #[must_use]
    pub fn new(mode: ProgressMode) -> Progress {
        let stderr = || Some(Box::new(io::stderr()) as Box<dyn Write + Send>);
        match mode {
            ProgressMode::Auto if io::stderr().is_terminal() => {
                Progress { lines: stderr(), target: ProgressDrawTarget::stderr }
            }
            ProgressMode::Auto | ProgressMode::Lines => {
                Progress { lines: stderr(), target: ProgressDrawTarget::hidden }
            }
            ProgressMode::Quiet => Progress { lines: None, target: ProgressDrawTarget::hidden },
        }
    }

    /// Writes a line per epoch to `writer`, such as a log file. Errors of the writer are ignored: training goes on.
    #[must_use]
    pub fn to_writer(writer: impl Write + Send + 'static) -> Progress {
        Progress { lines: Some(Box::new(writer)), target: ProgressDrawTarget::hidden }
    }

    /// Begins epoch `epoch` of `epochs`, counted from 1, over `samples` samples.
    pub fn epoch(&mut self, epoch: usize, epochs: usize, samples: usize) -> EpochProgress<'_> {
        let bar = ProgressBar::with_draw_target(Some(samples as u64), (self.target)())
            .with_style(bar_style())
            .with_prefix(format!("epoch {epoch}/{epochs}"));
        EpochProgress { lines: &mut self.lines, bar, epoch, epochs, samples: 0, begun: Instant::now() }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("quiet", &self.lines.is_none()).finish_non_exhaustive()
    }
}

/// One epoch under way. Dropping it without [`EpochProgress::finish`], as an error does, removes the bar and writes
/// no line.
pub struct EpochProgress<'a> {
    lines: &'a mut Option<Box<dyn Write + Send>>,
    bar: ProgressBar,
    epoch: usize,
    epochs: usize,
    samples: usize,
    begun: Instant,
}

impl EpochProgress<'_> {
    /// `samples` more samples are done; `values` are the loss and metrics so far.
    pub fn advance(&mut self, samples: usize, values: &[(&str, f64)]) {
        self.samples += samples;
        if !self.bar.is_hidden() {
            self.bar.inc(samples as u64);
            self.bar.set_message(joined(values));
        }
    }

    /// The epoch is over with these loss and metrics: the bar gives way to a line.
    pub fn finish(self, values: &[(&str, f64)]) {
        self.bar.finish_and_clear();
        if let Some(lines) = self.lines {
            let line = line(self.epoch, self.epochs, values, self.samples, self.begun.elapsed());
            // A closed standard error or a full disk must not end a training run.
            let _ = writeln!(lines, "{line}").and_then(|()| lines.flush());
        }
    }
}

impl fmt::Debug for EpochProgress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochProgress")
            .field("epoch", &self.epoch)
            .field("samples", &self.samples)
            .finish_non_exhaustive()
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} [{bar:24}] {pos}/{len}  {msg}  {rate}  {eta} left")
        .expect("the template is a constant")
        .progress_chars("=> ")
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{} samples/s", rate(state.per_sec()));
        })
}

/// `epoch 3/10  loss 0.4321  accuracy 0.9120  1.2 s  1250 samples/s`
fn line(epoch: usize, epochs: usize, values: &[(&str, f64)], samples: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let mut parts = vec![format!("epoch {epoch}/{epochs}")];
    if !values.is_empty() {
        parts.push(joined(values));
    }
    parts.push(if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
    });
    if samples > 0 && seconds > 0.0 {
        parts.push(format!("{} samples/s", rate(samples as f64 / seconds)));
    }
    parts.join("  ")
}

fn joined(values: &[(&str, f64)]) -> String {
    values.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect::<Vec<_>>().join("  ")
}

/// Four decimals where they say something, a power of ten elsewhere.
fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (1e-3..1e5).contains(&size) => format!("{value:.4}"),
        size if size.is_finite() => format!("{value:.3e}"),
        _ => value.to_string(),
    }
}

fn rate(per_second: f64) -> String {
    if per_second < 10.0 { format!("{per_second:.1}") } else { format!("{per_second:.0}") }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A writer and terminal that keeps what it is given.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<String>>);

    impl Kept {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl TermLike for Kept {
        fn width(&self) -> u16 {
            200
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.write_str("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_by_eye() {
        let values = [("loss", 0.43214), ("accuracy", 0.912)];
        assert_eq!(
            line(3, 10, &values, 1500, Duration::from_millis(1200)),
            "epoch 3/10  loss 0.4321  accuracy 0.9120  1.2 s  1250 samples/s"
        );
        assert_eq!(
            line(1, 1, &[("loss", 3.2e-7)], 100, Duration::from_secs(125)),
            "epoch 1/1  loss 3.200e-7  2 min 05 s  0.8 samples/s"
        );
        assert_eq!(line(1, 1, &[], 0, Duration::ZERO), "epoch 1/1  0.0 ms");
        assert_eq!(
            joined(&[("a", f64::NAN), ("b", f64::NEG_INFINITY), ("c", 0.0)]),
            "a NaN  b -inf  c 0.0000"
        );
    }

    #[test]
    fn each_epoch_leaves_one_line_and_an_abandoned_one_none() {
        let kept = Kept::default();
        let mut progress = Progress::to_writer(kept.clone());
        for epoch in 1..=2 {
            let mut running = progress.epoch(epoch, 2, 10);
            running.advance(10, &[("loss", 1.0)]);
            running.finish(&[("loss", 0.5)]);
        }
        progress.epoch(3, 3, 10).advance(5, &[("loss", 1.0)]);
        let text = kept.text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[1].starts_with("epoch 2/2  loss 0.5000  "), "{text}");
    }

    #[test]
    fn a_bar_shows_values_rate_and_time_left() {
        let (kept, screen) = (Kept::default(), Kept::default());
        let mut progress = Progress::to_writer(kept.clone());
        let mut running = progress.epoch(2, 5, 100);
        running.bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        running.advance(25, &[("loss", 0.25)]);
        running.bar.force_draw();
        let drawn = screen.text();
        assert!(drawn.contains("epoch 2/5 [======>"), "{drawn}");
        assert!(drawn.contains("25/100  loss 0.2500  "), "{drawn}");
        assert!(drawn.contains(" samples/s  ") && drawn.contains(" left"), "{drawn}");
        running.finish(&[("loss", 0.25)]);
        assert!(screen.text().ends_with("<clear>"), "{}", screen.text());
        assert_eq!(kept.text().lines().count(), 1);
    }
}
