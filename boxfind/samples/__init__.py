"""The program's own sample gallery, drawn on this machine for someone who has not named a folder of pictures yet."""
