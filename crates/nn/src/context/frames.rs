//! The stack of names around the place where a network is being built.

use std::collections::HashMap;

/// Names in use where a frame stands, and what has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Layer,
    Shared,
}

/// One entry of a layer or shared box; its names are counted anew each time it is entered.
#[derive(Debug, Default)]
struct Frame {
    path: String,
    shared: bool,
    taken: HashMap<String, Owner>,
    /// The next number to try after each name.
    next: HashMap<String, usize>,
}

/// The frames, outermost first; there is always one.
#[derive(Debug)]
pub(crate) struct Frames(Vec<Frame>);

impl Frames {
    /// The outermost frame, with names in it that no layer gets.
    pub(crate) fn new(reserved: impl IntoIterator<Item = &'static str>) -> Self {
        let taken = reserved.into_iter().map(|name| (name.to_string(), Owner::Layer)).collect();
        Frames(vec![Frame { taken, ..Frame::default() }])
    }

    fn top(&self) -> &Frame {
        self.0.last().expect("the outermost frame is never left")
    }

    fn top_mut(&mut self) -> &mut Frame {
        self.0.last_mut().expect("the outermost frame is never left")
    }

    /// The path of the present frame, without a slash at either end.
    pub(crate) fn path(&self) -> &str {
        &self.top().path
    }

    /// The path of a name in the present frame.
    pub(crate) fn join(&self, name: &str) -> String {
        match self.path() {
            "" => name.to_string(),
            path => format!("{path}/{name}"),
        }
    }

    /// How many frames stand around the present one.
    pub(crate) fn depth(&self) -> usize {
        self.0.len() - 1
    }

    /// Whether what is made here may have been made before.
    pub(crate) fn is_shared(&self) -> bool {
        self.top().shared
    }

    /// Enters a frame called `name`, or `name_1`, `name_2`, … where that is taken; returns what it is called.
    pub(crate) fn enter_unique(&mut self, name: &str) -> String {
        let frame = self.top_mut();
        let mut unique = name.to_string();
        while frame.taken.contains_key(&unique) {
            let next = frame.next.entry(name.to_string()).or_default();
            *next += 1;
            unique = format!("{name}_{next}");
        }
        frame.taken.insert(unique.clone(), Owner::Layer);
        self.enter(&unique, self.is_shared());
        unique
    }

    /// Enters a frame of exactly this name; `false` if a layer has it.
    pub(crate) fn enter_shared(&mut self, name: &str) -> bool {
        if self.top().taken.get(name) == Some(&Owner::Layer) {
            return false;
        }
        self.top_mut().taken.insert(name.to_string(), Owner::Shared);
        self.enter(name, true);
        true
    }

    fn enter(&mut self, name: &str, shared: bool) {
        self.0.push(Frame { path: self.join(name), shared, ..Frame::default() });
    }

    pub(crate) fn leave(&mut self) {
        if self.0.len() > 1 {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_where_they_stand() {
        let mut frames = Frames::new(["optimizer"]);
        let mut entered = |name: &str| {
            frames.enter_unique(name);
            let path = frames.path().to_string();
            frames.leave();
            path
        };
        let paths: Vec<String> = ["dense", "dense_1", "dense", "dense", "optimizer"].map(&mut entered).into();
        assert_eq!(paths, ["dense", "dense_1", "dense_2", "dense_3", "optimizer_1"]);
    }

    #[test]
    fn shared_frames_count_anew() {
        let mut frames = Frames::new([]);
        for _ in 0..2 {
            assert!(frames.enter_shared("encoder"));
            frames.enter_unique("dense");
            assert_eq!(frames.path(), "encoder/dense");
            assert!(frames.is_shared());
            frames.leave();
            frames.leave();
        }
        frames.enter_unique("encoder");
        assert_eq!(frames.path(), "encoder_1");
        assert!(!frames.is_shared());
        frames.leave();
        assert!(!frames.enter_shared("encoder_1"));
    }
}
