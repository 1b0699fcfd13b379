"""The edge: strict decoding, cursors, and the one pipeline that every request passes."""
