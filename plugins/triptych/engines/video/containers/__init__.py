"""How files hold films: what FFmpeg neither tells nor writes of MP4 and Matroska is read and written here."""
