"""What many machines need: what the domain's own code does, counted in virtual time, times what each thing costs."""
