//! The behaviours of faulty members take effect, honest members sign all the same, and only faulty
//! members are blamed.

mod coordinators;
mod every;
mod noise;
mod signers;
mod support;
