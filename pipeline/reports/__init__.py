"""What a run says about itself: counts that close."""
