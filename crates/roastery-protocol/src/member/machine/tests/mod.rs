mod behaviour;
mod random;
mod world;
