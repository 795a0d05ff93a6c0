"""What a process needs to run well here: MMagic's cures, memory, whole files, several processes."""
