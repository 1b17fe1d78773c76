"""The lab that compiles and runs MSL text on machines without Metal."""
