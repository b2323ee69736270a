"""What a verification leaves behind: a page, numbers, JUnit XML, a certificate."""
