//! What faulty members do takes effect, honest members sign all the same, and blame falls where it
//! belongs.

mod coordinators;
mod every;
mod noise;
mod signers;
mod support;
