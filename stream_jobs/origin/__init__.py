"""Who an event is from, and what that allows: corrections belong to their sender, and signatures say who that is."""
