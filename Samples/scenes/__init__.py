"""Seeded drawing of street-like scenes: backdrop, actors, light.

`scenes.scene.draw_scene` is the front door: one seed in, one picture and its boxes out.
"""
