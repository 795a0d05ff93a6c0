"""The frozen CLIP that guides training: where its weights come from, and what is asked of it."""
