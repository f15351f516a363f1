"""One module per source of user data, its bounded decoding, and the contract that every provider keeps."""
