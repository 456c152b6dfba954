"""What is worth telling: each detector reads the store and answers with signals; alerts/ turns them into incidents."""
