mod behaviour;
mod chance;
mod hostile;
mod played;
mod random;
mod readiness;
mod seen;
mod world;
