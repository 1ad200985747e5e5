"""The two sides of a bundle: made of a project where there is a network, installed where there is none."""
