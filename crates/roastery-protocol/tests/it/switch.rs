//! The switch to new epochs at several nodes in one test, and the lineage that they tell each
//! other.

mod erasing;
mod lineage;
mod lineage_file;
mod receipts;
mod world;
