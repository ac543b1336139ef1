"""The program on a server: what an image, containers, systemd and a proxy need, and a rehearsal of all of it."""
