"""Where fonts come from: each source yields families, which become rows of public.fonts."""
