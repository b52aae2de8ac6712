//! Parts and turns of every kind of register that this processor has.
#![allow(unsafe_code, reason = "registers are loaded and stored inside of buffers that are as large")]

use super::{Four, Turn, Two, Vector};

/// Whether a register turns its rows as element by element.
fn turns<V: Turn<Element: Default + PartialEq + From<u8>>>() -> bool {
    let (row, to_row) = (V::NEIGHBORS + 3, V::LINES + 5);
    let from: Vec<V::Element> = (0..V::LINES * row).map(|at| V::Element::from(at as u8)).collect();
    let mut to = vec![V::Element::default(); V::NEIGHBORS * to_row];
    // SAFETY: the caller has the instruction set; both hold as many rows as are turned.
    unsafe { V::turn(from.as_ptr(), row, to.as_mut_ptr(), to_row) };
    (0..V::NEIGHBORS).all(|at| (0..V::LINES).all(|lane| to[at * to_row + lane] == from[lane * row + at]))
}

/// Whether parts of a register are read and written as they should be, and nothing behind them.
fn has_parts<V: Vector<Element: Default + PartialEq + From<u8>>>() -> bool {
    let from: Vec<V::Element> = (0..V::LANES).map(|at| V::Element::from(at as u8 + 1)).collect();
    (0..=V::LANES).all(|count| {
        let (none, sentinel) = (V::Element::default(), V::Element::from(99));
        let [mut whole, mut part, mut over] = [(); 3].map(|()| vec![sentinel; V::LANES]);
        // SAFETY: the caller has the instruction set; all hold as many elements as a register.
        unsafe {
            let mask = V::first(count);
            V::load(from.as_ptr()).store_part(part.as_mut_ptr(), mask);
            V::load_part(from.as_ptr(), mask).store(whole.as_mut_ptr());
            V::load(over.as_ptr()).load_over(from.as_ptr(), mask).store(over.as_mut_ptr());
        }
        let expected = |rest: V::Element| (0..V::LANES).map(move |at| (at, rest));
        expected(none).all(|(at, rest)| whole[at] == if at < count { from[at] } else { rest })
            && expected(sentinel).all(|(at, rest)| part[at] == if at < count { from[at] } else { rest })
            && part == over
    })
}

#[test]
fn parts_of_registers_are_read_and_written() {
    assert!(has_parts::<Four>() && has_parts::<Two>());
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        use std::arch::x86_64::{__m256, __m256d};
        assert!(has_parts::<__m256>() && has_parts::<__m256d>());
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        use std::arch::x86_64::{__m512, __m512d};
        assert!(has_parts::<__m512>() && has_parts::<__m512d>());
    }
}

#[test]
fn rows_are_turned_into_columns() {
    assert!(turns::<Four>() && turns::<Two>());
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        use std::arch::x86_64::{__m256, __m256d};
        assert!(turns::<__m256>() && turns::<__m256d>());
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        assert!(turns::<std::arch::x86_64::__m512>());
    }
}
