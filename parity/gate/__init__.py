"""What a certificate covers, how strong it is, and the part of the gate that a training still lacks."""
