mod behaviour;
mod world;
