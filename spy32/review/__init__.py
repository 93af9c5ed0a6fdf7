"""Looking back: how well what was stated came true."""
