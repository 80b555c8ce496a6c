//! A change of a group, played by all its members in one test.

mod attacks;
mod engine;
mod faults;
mod honest;
mod late;
mod restored;
mod seats;
mod world;
