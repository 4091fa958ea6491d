"""What runs Zikao on one machine: the commands behind `./zikao`, and the stack they bring up."""
