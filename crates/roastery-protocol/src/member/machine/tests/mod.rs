mod behaviour;
mod hostile;
mod random;
mod world;
