"""Looking at it: the video behind the result, turntables, views."""
