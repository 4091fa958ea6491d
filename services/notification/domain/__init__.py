"""What a message is and how it is sent, without IO."""
