//! A worker's tasks: a deque that others steal from, and a stack of the steps that it has no room for.
//!
//! A deque that grows and shrinks allocates in the middle of runs. So it holds no more than it has room for from the
//! start, and further steps are stacked up by one link per step, which is there before the first run: a step is ready
//! once in a run, and on one stack at most.

use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_deque::{Stealer, Worker};

use crate::plan::StepId;

/// Some parts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) step: StepId,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Whole steps in a deque at most. It has room for twice as many tasks: the halves of one step, each with half as many
/// parts as the one before, are no more than this either.
const ROOM: usize = 32;

/// Whole steps that go from the stack to the deque when others have emptied that.
const REFILL: usize = 16;

/// For each step, the one below it on its stack, plus one; 0 for none. A link is used by the worker alone that has its
/// step.
#[derive(Debug)]
pub(crate) struct Links(Box<[AtomicU32]>);

impl Links {
    /// Links for so many steps.
    pub(crate) fn new(steps: usize) -> Links {
        Links((0..steps).map(|_| AtomicU32::new(0)).collect())
    }
}

/// The tasks of one worker, the newest on top.
#[derive(Debug)]
pub(crate) struct Queue {
    deque: Worker<Task>,
    /// The step on top of the stack, plus one; 0 for none.
    top: u32,
    /// How many halves were put on top of the deque and not taken back. Others steal from below: those they took are
    /// counted until the deque is found empty.
    halves: u32,
}

impl Queue {
    /// No tasks.
    pub(crate) fn new() -> Queue {
        Queue { deque: Worker::new_lifo(), top: 0, halves: 0 }
    }

    /// What others steal from.
    pub(crate) fn stealer(&self) -> Stealer<Task> {
        self.deque.stealer()
    }

    /// Puts a part of the step at hand on top.
    pub(crate) fn push_half(&mut self, task: Task) {
        self.halves += 1;
        self.deque.push(task);
    }

    /// Puts a whole step on top, when there are no halves.
    pub(crate) fn push_step(&mut self, task: Task, links: &Links) {
        if self.top == 0 && self.deque.len() < ROOM {
            self.deque.push(task);
        } else {
            links.0[task.step.index()].store(self.top, Ordering::Relaxed);
            self.top = task.step.index() as u32 + 1;
        }
    }

    /// Takes the topmost task; `pieces` are those of each step.
    pub(crate) fn pop(&mut self, pieces: &[u32], links: &Links) -> Option<Task> {
        if self.halves > 0 {
            // Whatever is left lies on top of all whole steps.
            self.halves -= 1;
            let half = self.deque.pop();
            if half.is_some() {
                return half;
            }
            self.halves = 0;
        }
        let Some(task) = self.pop_step(pieces, links) else { return self.deque.pop() };
        if self.deque.is_empty() {
            for _ in 0..REFILL {
                let Some(task) = self.pop_step(pieces, links) else { break };
                self.deque.push(task);
            }
        }
        Some(task)
    }

    fn pop_step(&mut self, pieces: &[u32], links: &Links) -> Option<Task> {
        let step = self.top.checked_sub(1)?;
        self.top = links.0[step as usize].load(Ordering::Relaxed);
        Some(Task { step: StepId::new(step as usize), start: 0, end: pieces[step as usize] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_comes_out_once_whoever_takes_it() {
        let (pieces, links) = (vec![8; 1000], Links::new(1000));
        let mut queue = Queue::new();
        let stealer = queue.stealer();
        let whole = |step| Task { step: StepId::new(step), start: 0, end: 8 };
        let mut left: Vec<u32> = pieces.clone();
        let mut is_done_after = |task: Task| {
            left[task.step.index()] -= task.end - task.start;
            left[task.step.index()] == 0
        };
        (0..500).for_each(|step| queue.push_step(whole(step), &links));
        let mut next = 500;
        while let Some(mut task) = queue.pop(&pieces, &links) {
            while task.end - task.start > 1 {
                let middle = task.start.midpoint(task.end);
                queue.push_half(Task { start: middle, ..task });
                task.end = middle;
            }
            // Every other task is stolen. A step that is done has no halves, and two others become ready.
            let stolen = stealer.steal().success().is_some_and(&mut is_done_after);
            if (is_done_after(task) || stolen) && next < 1000 {
                (next..next + 2).for_each(|step| queue.push_step(whole(step), &links));
                next += 2;
            }
        }
        assert_eq!((next, left.iter().sum::<u32>()), (1000, 0));
    }
}
