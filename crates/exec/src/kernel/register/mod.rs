//! Vector registers: whole and masked loads and stores, sums of products, and turning rows into columns.

mod in_registers;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(target_arch = "aarch64"))]
mod portable;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod turn;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod turning;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use in_registers::{InRegisters, Registers};
#[cfg(not(target_arch = "aarch64"))]
pub(crate) use portable::{Four, Two};
#[cfg(target_arch = "aarch64")]
pub(crate) use std::arch::aarch64::{float32x4_t as Four, float64x2_t as Two};
pub(crate) use vector::{Turn, Vector};
