//! The door to the world: HTTPS on loopback, and the same without a socket.
