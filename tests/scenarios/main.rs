//! Scenarios on a real control plane. The first run builds its programs.

mod attempts;
mod cluster;
mod linked;
mod shop;
mod stand_in;
